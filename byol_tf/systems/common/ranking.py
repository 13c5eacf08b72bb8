"""Ranks documents with several fields for a question, by BM25 of trigrams."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

LETTERS = (3, 5)  # shortest and longest feature, inside words
_SATURATION, _BY_LENGTH = 1.2, 0.75  # BM25's k1 and b


class Field:
    """One field of all documents.

    Args:
        texts: the field's text per document; "" for none.
    """

    def __init__(self, texts: Sequence[str]):
        self._counter = CountVectorizer(
            analyzer="char_wb", ngram_range=LETTERS, dtype=np.float32
        )
        counts = self._counter.fit_transform(texts).tocsr()
        total, frequency = counts.shape[0], counts.getnnz(axis=0)
        self._idf = np.log1p((total - frequency + 0.5) / (frequency + 0.5))
        lengths = np.asarray(counts.sum(1)).ravel()
        relative = lengths / max(lengths.mean(), 1e-9)
        damping = _SATURATION * (1 - _BY_LENGTH + _BY_LENGTH * relative)
        entry_damping = np.repeat(damping, np.diff(counts.indptr))
        counts.data *= self._idf[counts.indices] / (counts.data + entry_damping)
        self._weights = counts.T.tocsc().astype(np.float32)

    def scores(self, questions: Sequence[str]) -> np.ndarray:
        """Computes scores, float `[questions, documents]` in [0, 1].

        A document that repeats all parts of the question's words very often
        would reach 1.
        """
        rows = self._counter.transform(questions).astype(np.float32)
        rows.data[:] = 1
        parts = self._counter.build_analyzer()
        unknown = [len(set(parts(question))) for question in questions]
        unknown -= rows.getnnz(axis=1)  # unknown ones weigh as the rarest
        max_scores = (rows @ self._idf + unknown * self._idf.max())[:, None]
        scores = (rows @ self._weights).toarray()
        return scores / np.maximum(max_scores, 1e-9)


class Ranking:
    """Ranks documents by a weighted sum over their fields.

    Args:
        fields: texts of all documents, by name of the field.
        weights: weights of the fields; scores are divided by their sum.

    Raises:
        ValueError: if a field has no words.
    """

    def __init__(
        self,
        fields: Mapping[str, Sequence[str]],
        weights: Mapping[str, float],
    ):
        self._weights = dict(weights)
        self._fields = {}
        for name in weights:
            try:
                self._fields[name] = Field(fields[name])
            except ValueError as error:
                raise ValueError(f"no {name} has a word in it") from error

    def scores(self, questions: Sequence[str]) -> np.ndarray:
        """Computes scores, float `[questions, documents]` in [0, 1]."""
        total = sum(self._weights.values())
        return sum(
            weight / total * self._fields[name].scores(questions)
            for name, weight in self._weights.items()
        )


def mean_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Computes the mean average precision over questions.

    Args:
        scores: `[questions, documents]`.
        relevant: bool of the same shape; a question without relevant documents
            counts 0.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(relevant, order, 1)
    precision = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
    sums = (precision * hits).sum(1) / np.maximum(hits.sum(1), 1)
    return float(sums.mean())


def mean_reciprocal_rank(scores: np.ndarray, correct: np.ndarray) -> float:
    """Computes the mean of 1 / rank; ties count against the correct document.

    Args:
        scores: `[questions, documents]`.
        correct: int `[questions]`, the correct document of each.
    """
    correct_scores = scores[np.arange(len(scores)), correct][:, None]
    return float((1 / (scores >= correct_scores).sum(1)).mean())
