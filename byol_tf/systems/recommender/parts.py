"""What a recommender is put together from: texts, methods, encoders."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy import sparse

from byol_tf.data.interactions import Shop
from byol_tf.systems.recommender import byol, texts
from byol_tf.systems.recommender.methods import (
    METHODS,
    TEXTS,
    Method,
    of_texts,
)

ENCODED = "text encoder"
_BATCH = 256  # texts


@dataclasses.dataclass(frozen=True)
class Parts:
    """Vectors of texts, and all methods.

    Attributes:
        vectors: unit rows of the items' texts, `[items, d]`.
        methods: by name.
    """

    vectors: sparse.csr_matrix
    methods: Mapping[str, Method]


def parts_of(
    shop: Shop,
    run: pathlib.Path,
    texts_run: str = "",
    wanted: Collection[str] | None = None,
) -> Parts:
    """Puts methods together for a shop.

    Args:
        shop: whose items they score.
        run: folder that may have an encoder of histories.
        texts_run: folder with an encoder of texts; "" for none.
        wanted: names of the methods that are needed; None for all.
    """
    vectors = texts.tfidf(shop.texts)
    methods = {**METHODS, TEXTS: of_texts(vectors)}
    needed = wanted is None or byol.NAME in wanted
    if needed and (pathlib.Path(run) / "encoder.keras").is_file():
        methods[byol.NAME] = byol.of_encoder(_encoder(run), shop.items)
    if texts_run:
        encoded = _encode(_encoder(texts_run), shop.texts)
        methods[ENCODED] = of_texts(encoded)
        both = vectors, sparse.csr_matrix(encoded)
        vectors = sparse.hstack(both, "csr") * np.float32(0.5**0.5)
    return Parts(vectors, methods)


def _encoder(run):
    from byol_tf.runs.encoder import load_encoder  # imports TensorFlow

    return load_encoder(run)


def _encode(encoder, some: Sequence[str]) -> np.ndarray:
    """Unit rows of texts; zeros of empty ones."""
    rows = np.concatenate(
        [
            np.asarray(encoder(np.array(some[start : start + _BATCH], object)))
            for start in range(0, len(some), _BATCH)
        ]
    ).astype(np.float32)
    rows[[not text for text in some]] = 0
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
