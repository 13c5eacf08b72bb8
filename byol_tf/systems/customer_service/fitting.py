"""Fits an assistant to a folder, and evaluates it on test files."""

import pathlib

import numpy as np

from byol_tf.systems.common import handing, rows
from byol_tf.systems.common.heads import (
    Encode,
    LabelledTexts,
    choose_head,
    fit_again,
    fit_baseline,
    macro_f1,
    split,
)
from byol_tf.systems.common.ranking import mean_average_precision
from byol_tf.systems.common.tfidf import Tfidf
from byol_tf.systems.customer_service.assistant import Assistant, read_answers

NOTHING = "neither train.csv (text,label) nor faq.csv (question,answer)"


def fit(config, data: pathlib.Path, encode: Encode | None) -> Assistant:
    """Learns intents, and the scores below which to hand over.

    Args:
        config: see `configs/customer_service.py`.
        data: folder with `train.csv`, `faq.csv` or both; `val.csv`,
            `oos_train.csv` and `oos_val.csv` are used as held-out rows if they
            exist.
        encode: a frozen encoder, tried as additional features; or None.

    Raises:
        ValueError: if there is nothing to learn from, or a file is invalid.
    """
    answers, head, limits = read_answers(data), None, {}
    out_of_scope = _out_of_scope_texts(data, "oos_train.csv", "oos_val.csv")
    if (data / "train.csv").is_file():
        head, limits["intents"] = _fit_intents(
            config, data, out_of_scope, encode
        )
    if answers:
        inside, outside = answers.rehearse(config.seed)
        if out_of_scope:
            scores = answers.scores(out_of_scope).max(1)
            outside = np.concatenate([outside, scores])
        limits["answers"] = _limit(config, inside, outside)
    if not limits:
        raise ValueError(f"{data} has {NOTHING}")
    return Assistant(head, answers, limits)


def evaluate(assistant: Assistant, data: pathlib.Path) -> dict:
    """Evaluates on the test files of a folder, and compares with TF-IDF.

    Raises:
        ValueError: if there are no test files.
    """
    result = {}
    if assistant.head and (data / "test.csv").is_file():
        result |= _judge_intents(assistant, data)
    if assistant.answers and (data / "queries.csv").is_file():
        result |= _judge_answers(assistant.answers, data / "queries.csv")
    if not result:
        raise ValueError(
            f"{data} has neither test.csv (text,label) for intents nor "
            "queries.csv (query,id) for answers"
        )
    return result


def _fit_intents(config, data, out_of_scope, encode):
    texts, labels = rows.read_labelled(data / "train.csv")
    if has_validation := (data / "val.csv").is_file():
        fit_part = LabelledTexts(texts, labels)
        held_out = LabelledTexts(*rows.read_labelled(data / "val.csv"))
        rows.check_known(data / "val.csv", held_out.labels, set(labels))
    else:
        fit_part, held_out = split(texts, labels, config.held_out, config.seed)
    options = {"shapes": config.shapes, "strengths": config.strengths}
    head, strength = choose_head(fit_part, held_out, **options, encode=encode)
    names, confidences = head.predict(held_out.texts)
    if out_of_scope:
        limit = _limit(config, confidences, head.predict(out_of_scope)[1])
    else:
        correct = names == np.array(held_out.labels)
        share = max(1 - correct.mean(), 1e-9)
        limit = handing.threshold(
            *(
                confidences[correct],
                confidences[~correct],
                config.precision,
                share,
            )
        )
    return (
        head
        if has_validation
        else fit_again(head, strength, fit_part, held_out)
    ), limit


def _limit(config, inside, outside):
    return handing.threshold(
        *(inside, outside, config.precision, config.out_of_scope)
    )


def _out_of_scope_texts(data, *names):
    """Returns out-of-scope texts of those files that exist."""
    return [
        row["text"]
        for name in names
        if (data / name).is_file()
        for row in rows.read_rows(data / name, ("text",))
    ]


def _judge_intents(assistant, data):
    texts, labels = rows.read_labelled(data / "test.csv")
    rows.check_known(data / "test.csv", labels, assistant.head.classes)
    outside = _out_of_scope_texts(data, "oos_test.csv")
    baseline = fit_baseline(*rows.read_labelled(data / "train.csv"))
    result, limit, handed_over = {}, assistant.limits["intents"], 0
    for prefix, head in ("", assistant.head), ("tfidf_", baseline):
        names, confidences = head.predict(texts)
        accuracy = (names == np.array(labels)).mean()
        result[f"{prefix}in_scope_accuracy"] = float(accuracy)
        result[f"{prefix}macro_f1"] = macro_f1(labels, names)
        if not outside:
            continue
        outside_confidences = head.predict(outside)[1]
        result[f"{prefix}oos_auroc"] = handing.auroc(
            confidences, outside_confidences
        )
        all_confidences = np.sort(np.append(confidences, outside_confidences))
        if prefix:  # hands over the same number
            limit = all_confidences[min(handed_over, len(all_confidences) - 1)]
        handed_over = int(np.searchsorted(all_confidences, limit))
        recall, precision = handing.recall_and_precision(
            confidences, outside_confidences, limit
        )
        result[f"{prefix}oos_recall"] = float(recall)
        result[f"{prefix}oos_precision"] = float(precision)
    return result


def _judge_answers(answers, path):
    queries = rows.read_rows(path, ("query", "id"))
    ids = [row.get("id") for row in answers.rows]
    if not any(ids):
        raise ValueError(
            f"{path} names answers by id, and faq.csv has no column 'id'"
        )
    questions, query_ids = zip(
        *((r["query"], r["id"]) for r in queries), strict=True
    )
    rows.check_known(path, query_ids, set(filter(None, ids)), "id")
    relevant = np.array(query_ids)[:, None] == np.array(ids)
    tfidf = Tfidf().fit([row["question"] for row in answers.rows])
    question_rows = tfidf.rows([row["question"] for row in answers.rows])
    tfidf_scores = (tfidf.rows(questions) @ question_rows.T).toarray()
    return {
        "map": mean_average_precision(answers.scores(questions), relevant),
        "tfidf_map": mean_average_precision(tfidf_scores, relevant),
    }
