"""Known questions with answers, and search among them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from byol_tf.systems.common.ranking import Ranking

FIELDS = {"question": 1.0, "answer": 1.0}
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_ANSWER_ONLY = {"answer": 1.0}
_BLOCK = 256  # questions to score at once, since all by all would not fit
_DROP_SHARE = 0.5  # share of words dropped to simulate a new wording


class KnownAnswer(NamedTuple):
    """A known question, and its similarity `score` in [0, 1]."""

    question: str
    answer: str
    source: str
    score: float


class Answers:
    """Finds the nearest known questions.

    All answers of one question are ranked together: its fields are the question
    and its answers.

    Args:
        rows: dicts with `question`, `answer` and optionally `id`.
    """

    def __init__(self, rows: Sequence[dict[str, str]]):
        groups: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(row["question"].strip(), []).append(place)
        self.questions = list(groups)
        self.rows, self._groups = list(rows), list(groups.values())
        self._all = [
            "\n".join(rows[place]["answer"] for place in places)
            for places in self._groups
        ]
        fields = {"question": self.questions, "answer": self._all}
        self._ranking = Ranking(fields, FIELDS)
        self._single = Ranking(
            {"answer": [r["answer"] for r in rows]}, _ANSWER_ONLY
        )

    def nearest(self, question: str, count: int) -> list[KnownAnswer]:
        """Returns the nearest answers, best first, one per known question."""
        group_scores = self._ranking.scores([question])[0]
        row_scores = self._single.scores([question])[0]
        result = []
        for group in np.argsort(-group_scores, kind="stable")[:count]:
            place = max(self._groups[group], key=lambda n: row_scores[n])
            row = self.rows[place]
            source = (row.get("id") or "").strip() or f"row {place + 1}"
            result.append(
                KnownAnswer(
                    self.questions[group],
                    *(
                        row["answer"].strip(),
                        source,
                        float(group_scores[group]),
                    ),
                )
            )
        return result

    def scores(self, questions: Sequence[str]) -> np.ndarray:
        """Computes scores, float `[questions, rows]` in [0, 1]."""
        groups = self._ranking.scores(questions)
        group_of_row = np.empty(len(self.rows), int)
        for group, places in enumerate(self._groups):
            group_of_row[places] = group
        return groups[:, group_of_row]

    def rehearse(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the best scores of answerable and of unanswerable questions.

        The first are known questions with about half of their words. The second
        are the same, with the question itself and its answers removed.
        """
        draws = np.random.default_rng(seed)
        rewordings = [
            _shortened(question, draws) for question in self.questions
        ]
        inside, outside = [], []
        for start in range(0, len(rewordings), _BLOCK):
            scores = self._ranking.scores(rewordings[start : start + _BLOCK])
            rows = np.arange(len(scores))
            inside.append(scores[rows, start + rows])
            scores[rows, start + rows] = 0
            outside.append(scores.max(1))
        return np.concatenate(inside), np.concatenate(outside)


def compose(
    question: str, answers: Sequence[KnownAnswer], max_sentences: int
) -> str:
    """Picks the sentences nearest to the question, in their original order.

    Args:
        question: the question.
        answers: answers to take sentences from.
        max_sentences: largest number of sentences.
    """
    sentences = [
        sentence.strip()
        for answer in answers
        for sentence in _SENTENCE.split(answer.answer)
        if sentence.strip()
    ]
    try:
        ranking = Ranking({"sentence": sentences}, {"sentence": 1.0})
    except ValueError:  # no words in it
        return " ".join(sentences[:max_sentences])
    scores = ranking.scores([question])[0]
    chosen = np.sort(np.argsort(-scores, kind="stable")[:max_sentences])
    return " ".join(sentences[place] for place in chosen)


def _shortened(text, draws):
    words = text.split()
    keep_mask = draws.random(len(words)) >= _DROP_SHARE
    keep_mask[draws.integers(len(words))] = True
    return " ".join(w for w, keep in zip(words, keep_mask, strict=True) if keep)
