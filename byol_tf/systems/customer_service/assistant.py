"""The assistant: finds a question's intent and answer, or hands it over."""

import pathlib
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from byol_tf.files import loading, whole_file
from byol_tf.systems.common.heads import Encode, Head
from byol_tf.systems.common.rows import read_rows
from byol_tf.systems.common.tfidf import as_bytes, of_bytes
from byol_tf.systems.customer_service.answers import (
    Answers,
    KnownAnswer,
    compose,
)

FILE = "customer_service.npz"
FAQ = "faq.csv"


class Words(NamedTuple):
    """How replies are worded; see `configs/customer_service.py`."""

    template: str
    intent: str
    hand_over: str
    nearest: int
    sentences: int


class Reply(NamedTuple):
    """A reply to a question, and the reason for it.

    Attributes:
        text: text of the reply.
        hand_over: whether a person has to answer.
        intent: the most likely intent, "" if none were learned.
        confidence: confidence of the intent in [0, 1].
        nearest: known answers, best first.
    """

    text: str
    hand_over: bool
    intent: str
    confidence: float
    nearest: list[KnownAnswer]


class Assistant(NamedTuple):
    """A fitted assistant.

    Attributes:
        head: classifier of intents, or None.
        answers: known answers, or None.
        limits: confidence or score below which a question is handed over.
    """

    head: Head | None
    answers: Answers | None
    limits: dict[str, float]

    def ask(self, question: str, words: Words) -> Reply:
        """Answers a question; known answers take precedence over intents.

        Raises:
            ValueError: if the question is empty.
        """
        if not question.strip():
            raise ValueError("the question is empty; give it some words")
        intent, confidence, nearest = "", 0.0, []
        if self.head:
            (intent,), (confidence,) = self.head.predict([question])
        if self.answers:
            nearest = self.answers.nearest(question, words.nearest)
        score = nearest[0].score if nearest else confidence
        limit = self.limits["answers" if nearest else "intents"]
        text = words.hand_over
        if score >= limit and nearest:
            text = _fill(
                words.template,
                answer=compose(question, nearest[:1], words.sentences),
                question=nearest[0].question,
                source=nearest[0].source,
            )
        elif score >= limit:
            text = _fill(words.intent, intent=intent)
        return Reply(
            *(
                text,
                bool(score < limit),
                str(intent),
                float(confidence),
                nearest,
            )
        )

    def save(self, run: pathlib.Path, data: pathlib.Path) -> None:
        """Writes it into a run folder; known answers stay in their file."""
        arrays = self.head.arrays() if self.head else {}
        about = {"limits": self.limits, "data": str(data.resolve())}
        with whole_file(run / FILE) as path:
            np.savez_compressed(path, about=as_bytes(about), **arrays)


def load(run: pathlib.Path, data: str | None, encode: Encode | None):
    """Loads the assistant of a run folder, with the current answers.

    Args:
        run: the run folder.
        data: folder with `faq.csv`; None: the one it was fitted on.
        encode: the frozen encoder of the run folder, or None.

    Raises:
        ValueError: if nothing was fitted, or `faq.csv` is not where it was, or
            was not there when it was fitted.
    """
    path = run / FILE
    if not path.is_file():
        raise ValueError(
            f"there is no {FILE} in {run}; fit first: byol_tf system "
            f"customer_service fit --data=DIR --run={run}"
        )
    with loading(path), np.load(path) as arrays:
        about = of_bytes(arrays["about"])
        has_head = "weights" in arrays
        head = Head.of_arrays(arrays, encode) if has_head else None
    folder, limits = pathlib.Path(data or about["data"]), about["limits"]
    answers = read_answers(folder)
    if answers and "answers" not in limits:
        raise ValueError(
            f"{folder / FAQ} was not there when it was fitted; fit again, so "
            "that it is known when to hand over"
        )
    if answers is None and (head is None or (not data and "answers" in limits)):
        raise ValueError(
            f"there is no {FAQ} in {folder}; give the folder that it is in by "
            "--data=DIR"
        )
    return Assistant(head, answers, limits)


def read_answers(data: pathlib.Path) -> Answers | None:
    """Reads the known answers of a folder; None if there is no file of them."""
    path = data / FAQ
    if not path.is_file():
        return None
    return Answers(read_rows(path, ("question", "answer")))


def _fill(template, **values):
    """Replaces names in braces by their values; leaves other braces."""
    return re.sub(r"{(\w+)}", lambda m: values.get(m[1], m[0]), template)


def as_json(reply: Reply) -> Mapping:
    """Returns a reply as JSON values."""
    return {
        **reply._asdict(),
        "nearest": [answer._asdict() for answer in reply.nearest],
    }
