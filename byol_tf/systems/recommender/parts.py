"""Assembles the parts of a recommender: texts, methods, encoders."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy import sparse

from byol_tf.data.interactions import Shop
from byol_tf.systems.common.encoder import encoder_of
from byol_tf.systems.recommender import byol, texts
from byol_tf.systems.recommender.methods import (
    METHODS,
    TEXTS,
    Method,
    of_texts,
)

ENCODED = "text encoder"


@dataclasses.dataclass(frozen=True)
class Parts:
    """Vectors of texts, and all methods.

    Attributes:
        vectors: unit vectors of the items' texts, `[items, d]`.
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
    """Assembles methods for a shop.

    Args:
        shop: the shop.
        run: folder that may have an encoder of histories.
        texts_run: folder with an encoder of texts; "": none.
        wanted: names of the methods needed; None: all.
    """
    vectors = texts.tfidf(shop.texts)
    methods = {**METHODS, TEXTS: of_texts(vectors)}
    needed = wanted is None or byol.NAME in wanted
    if needed and (pathlib.Path(run) / "encoder.keras").is_file():
        methods[byol.NAME] = byol.of_encoder(_histories(run), shop.items)
    if texts_run:
        encoded = _encoded(texts_run, shop.texts)
        methods[ENCODED] = of_texts(encoded)
        both = vectors, sparse.csr_matrix(encoded)
        vectors = sparse.hstack(both, "csr") * np.float32(0.5**0.5)
    return Parts(vectors, methods)


def _histories(run):
    from byol_tf.runs.encoder import load_encoder  # imports TensorFlow

    return load_encoder(run)


def _encoded(run, some: Sequence[str]) -> np.ndarray:
    """Returns unit vectors of texts by a run's encoder; zeros if empty."""
    encode = encoder_of(pathlib.Path(run))
    if encode is None:
        raise ValueError(
            f"there is no encoder.keras in {run}; make one of texts by "
            f"byol_tf pretrain TEXTS {run}, or leave out --config.texts"
        )
    rows = encode(some)
    rows[[not text for text in some]] = 0
    return rows
