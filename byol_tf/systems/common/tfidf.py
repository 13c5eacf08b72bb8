"""TF-IDF vectors of texts: words, and character n-grams inside words."""

import json
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

# Ranges of word n-grams and of character n-grams.
PLAIN = ((1, 1), (3, 3))
RICH = ((1, 2), (2, 5))
SHAPES = {"plain": PLAIN, "rich": RICH}
_WORD = r"(?u)\w+|[^\w\s]"  # punctuation too: "$" and "?" are informative


class Tfidf:
    """Computes unit TF-IDF vectors of texts.

    Args:
        shape: key of `SHAPES`.
    """

    def __init__(self, shape: str = "plain"):
        words, letters = SHAPES[shape]
        common = {"sublinear_tf": True, "dtype": np.float32}
        self.shape = shape
        self._parts = (
            TfidfVectorizer(token_pattern=_WORD, ngram_range=words, **common),
            TfidfVectorizer(analyzer="char_wb", ngram_range=letters, **common),
        )

    def fit(self, texts: Sequence[str]) -> "Tfidf":
        """Learns the vocabulary of texts, and its weights.

        Raises:
            ValueError: if there are no words in them.
        """
        for part in self._parts:
            try:
                part.fit(texts)
            except ValueError as error:
                raise ValueError(
                    f"there is no word in the {len(texts)} texts, so there is "
                    "nothing to learn"
                ) from error
        return self

    @property
    def size(self) -> int:
        """Number of features."""
        return sum(len(part.idf_) for part in self._parts)

    def rows(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Returns float32 `[n, features]`; known words give unit length."""
        parts = [part.transform(texts) for part in self._parts]
        return (sparse.hstack(parts) * np.float32(0.5**0.5)).tocsr()

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays to save; `of_arrays` restores them."""
        result = {"shape": as_bytes(self.shape)}
        for n, part in enumerate(self._parts):
            features = part.get_feature_names_out().tolist()
            result |= {f"words{n}": as_bytes(features), f"idf{n}": part.idf_}
        return result

    @classmethod
    def of_arrays(cls, arrays) -> "Tfidf":
        """Restores an object from `arrays`."""
        result = cls(of_bytes(arrays["shape"]))
        for n, part in enumerate(result._parts):
            part.vocabulary = of_bytes(arrays[f"words{n}"])
            part.idf_ = arrays[f"idf{n}"]
        return result


def as_bytes(value) -> np.ndarray:
    """Encodes a value as JSON in uint8 `[bytes]`, for `.npz` without pickle."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def of_bytes(array: np.ndarray):
    """Decodes a value from `as_bytes`."""
    return json.loads(array.tobytes())
