"""Fits an assistant to a folder, and evaluates it on test files."""

import pathlib

import numpy as np

from byol_tf.systems.common import handing, rows
from byol_tf.systems.common.heads import (
    Encode,
    Held,
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
    strange = _strange(data, "oos_train.csv", "oos_val.csv")
    if (data / "train.csv").is_file():
        head, limits["intents"] = _fit_intents(config, data, strange, encode)
    if answers:
        inside, outside = answers.rehearse(config.seed)
        if strange:
            scores = answers.scores(strange).max(1)
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


def _fit_intents(config, data, strange, encode):
    texts, labels = rows.read_labelled(data / "train.csv")
    if own := (data / "val.csv").is_file():
        inside = Held(texts, labels)
        held = Held(*rows.read_labelled(data / "val.csv"))
        rows.check_known(data / "val.csv", held.labels, set(labels))
    else:
        inside, held = split(texts, labels, config.held_out, config.seed)
    options = {"shapes": config.shapes, "strengths": config.strengths}
    head, strength = choose_head(inside, held, **options, encode=encode)
    names, sure = head.predict(held.texts)
    if strange:
        limit = _limit(config, sure, head.predict(strange)[1])
    else:
        right = names == np.array(held.labels)
        share = max(1 - right.mean(), 1e-9)
        limit = handing.threshold(
            *(sure[right], sure[~right], config.precision, share)
        )
    return (head if own else fit_again(head, strength, inside, held)), limit


def _limit(config, inside, outside):
    return handing.threshold(
        *(inside, outside, config.precision, config.out_of_scope)
    )


def _strange(data, *names):
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
    outside = _strange(data, "oos_test.csv")
    baseline = fit_baseline(*rows.read_labelled(data / "train.csv"))
    result, limit, handed = {}, assistant.limits["intents"], 0
    for prefix, head in ("", assistant.head), ("tfidf_", baseline):
        names, sure = head.predict(texts)
        accuracy = (names == np.array(labels)).mean()
        result[f"{prefix}in_scope_accuracy"] = float(accuracy)
        result[f"{prefix}macro_f1"] = macro_f1(labels, names)
        if not outside:
            continue
        strange = head.predict(outside)[1]
        result[f"{prefix}oos_auroc"] = handing.auroc(sure, strange)
        both = np.sort(np.append(sure, strange))
        if prefix:  # hands over the same number
            limit = both[min(handed, len(both) - 1)]
        handed = int(np.searchsorted(both, limit))
        recall, precision = handing.recall_and_precision(sure, strange, limit)
        result[f"{prefix}oos_recall"] = float(recall)
        result[f"{prefix}oos_precision"] = float(precision)
    return result


def _judge_answers(answers, path):
    asked = rows.read_rows(path, ("query", "id"))
    ids = [row.get("id") for row in answers.rows]
    if not any(ids):
        raise ValueError(
            f"{path} names answers by id, and faq.csv has no column 'id'"
        )
    questions, wanted = zip(
        *((r["query"], r["id"]) for r in asked), strict=True
    )
    rows.check_known(path, wanted, set(filter(None, ids)), "id")
    relevant = np.array(wanted)[:, None] == np.array(ids)
    tfidf = Tfidf().fit([row["question"] for row in answers.rows])
    known = tfidf.rows([row["question"] for row in answers.rows])
    plain = (tfidf.rows(questions) @ known.T).toarray()
    return {
        "map": mean_average_precision(answers.scores(questions), relevant),
        "tfidf_map": mean_average_precision(plain, relevant),
    }
