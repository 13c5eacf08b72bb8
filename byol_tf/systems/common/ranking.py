"""Ranks documents of several fields for a question, by BM25 of trigrams."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

LETTERS = (3, 5)  # of a feature, inside words
_SATURATION, _BY_LENGTH = 1.2, 0.75  # BM25's k1 and b


class Field:
    """One field of all documents.

    Args:
        texts: of the documents; "" where one has none.
    """

    def __init__(self, texts: Sequence[str]):
        self._counter = CountVectorizer(
            analyzer="char_wb", ngram_range=LETTERS, dtype=np.float32
        )
        counts = self._counter.fit_transform(texts).tocsr()
        number, found = counts.shape[0], counts.getnnz(axis=0)
        self._idf = np.log1p((number - found + 0.5) / (found + 0.5))
        lengths = np.asarray(counts.sum(1)).ravel()
        relative = lengths / max(lengths.mean(), 1e-9)
        damping = _SATURATION * (1 - _BY_LENGTH + _BY_LENGTH * relative)
        of_entry = np.repeat(damping, np.diff(counts.indptr))
        counts.data *= self._idf[counts.indices] / (counts.data + of_entry)
        self._weights = counts.T.tocsc().astype(np.float32)

    def scores(self, questions: Sequence[str]) -> np.ndarray:
        """Float `[questions, documents]` in [0, 1].

        1 would be a document with every part of the question's words, again
        and again.
        """
        rows = self._counter.transform(questions).astype(np.float32)
        rows.data[:] = 1
        parts = self._counter.build_analyzer()
        unknown = [len(set(parts(question))) for question in questions]
        unknown -= rows.getnnz(axis=1)  # they count, as the rarest do
        most = (rows @ self._idf + unknown * self._idf.max())[:, None]
        found = (rows @ self._weights).toarray()
        return found / np.maximum(most, 1e-9)


class Ranking:
    """Documents with fields of one weight each.

    Args:
        fields: texts of all documents, by the field's name.
        weights: of the fields; scores are divided by their sum.

    Raises:
        ValueError: there are no words in a field.
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
        """Float `[questions, documents]` in [0, 1]."""
        total = sum(self._weights.values())
        return sum(
            weight / total * self._fields[name].scores(questions)
            for name, weight in self._weights.items()
        )


def mean_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Mean over questions of the precision at each relevant document.

    Args:
        scores: `[questions, documents]`.
        relevant: bool of the same shape; a question without any counts 0.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(relevant, order, 1)
    precision = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
    sums = (precision * hits).sum(1) / np.maximum(hits.sum(1), 1)
    return float(sums.mean())


def mean_reciprocal_rank(scores: np.ndarray, wanted: np.ndarray) -> float:
    """Mean of 1 / rank; of equal scores, the wanted one comes last.

    Args:
        scores: `[questions, documents]`.
        wanted: int `[questions]`, the document of each.
    """
    own = scores[np.arange(len(scores)), wanted][:, None]
    return float((1 / (scores >= own).sum(1)).mean())
