"""Methods that score items for histories, fitted in closed form.

Each is fitted on a `Past` and scores any histories `[n, items]`, also of users
it has not seen. All are fitted, tuned and evaluated the same way.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import linalg
from threadpoolctl import threadpool_limits

from byol_tf.checks import require
from byol_tf.systems.recommender.past import Past

# Largest square matrix to invert, items or users: 1.6 GB each.
MOST_SQUARE = 20_000
_BLOCK = 512  # rows per block of a product that is sparsified


class Method(NamedTuple):
    """A method that scores items.

    Attributes:
        fit: from a `Past` and a setting to a state.
        score: from a state, histories `[n, items]` and the setting to dense
            float32 `[n, items]`.
        settings: settings to try.
        fitted_by: names of the settings that the state depends on.
        square: whether it inverts a matrix of items by items, or of users by
            users if there are fewer.
    """

    fit: Callable[..., Any]
    score: Callable[..., np.ndarray]
    settings: tuple[Mapping[str, float], ...] = ({},)
    fitted_by: tuple[str, ...] = ()
    square: bool = False


# ---- popularity --------------------------------------------------------


def _popular(past: Past, half_life):
    counts = np.asarray(past.matrix(half_life).sum(axis=0)).ravel()
    return np.float32(np.log1p(counts))


def _popular_scores(state, rows, **_):
    return np.tile(state, (rows.shape[0], 1))


# ---- neighbours --------------------------------------------------------


def unit_rows(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Scales rows to length 1; empty rows stay empty."""
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = 1 / np.where(length > 0, length, 1)
    return sparse.diags_array(np.float32(scale)).tocsr() @ rows


def nearest(
    rows: sparse.csr_matrix,
    others: sparse.csr_matrix,
    count: int,
    same: bool = False,
) -> sparse.csr_matrix:
    """Returns cosines of each row with its `count` most similar others.

    Args:
        rows, others: `[n, d]` and `[m, d]`, sparse.
        count: neighbours to keep.
        same: whether `others` are the rows, so that a row is not its own
            neighbour.
    """
    unit, turned = unit_rows(rows), unit_rows(others).T.tocsr()
    parts = []
    for start in range(0, rows.shape[0], _BLOCK):
        block = unit[start : start + _BLOCK]
        found = (block @ turned).toarray()
        if same:
            own = np.arange(len(found))
            found[own, own + start] = 0
        parts.append(largest(found, count))
    return sparse.vstack(parts, "csr")


def largest(values: np.ndarray, count: int) -> sparse.csr_matrix:
    """Keeps the largest positive values of each row, as a sparse matrix."""
    if count < values.shape[1]:
        least = np.partition(values, -count, axis=1)[:, -count, None]
        values = np.where(values >= least, values, 0)
    return sparse.csr_matrix(np.maximum(values, 0))


def _item_neighbours(past: Past, count, **_):
    items = past.matrix().T.tocsr()
    return nearest(items, items, int(count), same=True).T.tocsr()


def _linear_scores(state, rows, **_):
    found = rows @ state
    return found.toarray() if sparse.issparse(found) else found


def _users(past: Past, half_life, **_):
    histories = past.matrix(half_life)
    return unit_rows(histories).T.tocsr(), histories


def user_scores(
    near: sparse.csr_matrix, histories: sparse.csr_matrix, power: float
) -> np.ndarray:
    """Scores items by neighbours' histories, weighted by cosine ** power."""
    near = near.copy()
    near.data **= power
    return (near @ histories).toarray()


def _user_scores(state, rows, count, power, **_):
    turned, histories = state
    near = largest((unit_rows(rows) @ turned).toarray(), int(count))
    return user_scores(near, histories, power)


# ---- factors -----------------------------------------------------------


def _svd(past: Past, size, **_):
    rows = past.matrix()
    size = int(min(size, min(rows.shape) - 1))
    start = np.ones(min(rows.shape))
    *_, turned = linalg.svds(rows, k=size, v0=start)
    return np.float32(turned.T)


def _svd_scores(state, rows, **_):
    return (rows @ state) @ state.T


class _Ease(NamedTuple):
    """Ridge regression of each item on all others, by histories.

    With `inverse` of `histories @ histories.T + strength`, scores of rows are
    `rows - (rows - (rows @ histories.T) @ inverse @ histories) / scale`. The
    inverse is of size users by users instead of items by items.

    Attributes:
        histories: `[users, items]`, sparse.
        inverse: float32 `[users, users]`.
        scale: float32 `[items]`.
    """

    histories: sparse.csr_matrix
    inverse: np.ndarray
    scale: np.ndarray


def _ease(past: Past, strength, **_):
    rows = past.matrix()
    if rows.shape[1] <= rows.shape[0]:
        inverse = _inverse(rows.T @ rows, strength)
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return weights
    inverse = _inverse(rows @ rows.T, strength)
    # In blocks, since a dense matrix of all items or users would not fit.
    scale = [
        1 - np.asarray(part.multiply(part @ inverse).sum(axis=1)).ravel()
        for part in _parts(rows.T.tocsr())
    ]
    return _Ease(rows, inverse, np.float32(np.concatenate(scale)))


def _inverse(products, strength):
    found = products.toarray().astype(np.float32)
    found[np.diag_indices_from(found)] += strength
    return np.linalg.inv(found)


def _parts(rows):
    return (
        rows[start : start + _BLOCK]
        for start in range(0, rows.shape[0], _BLOCK)
    )


def _ease_scores(state, rows, **_):
    if not isinstance(state, _Ease):
        return rows @ state
    own = rows.toarray()
    found = ((rows @ state.histories.T) @ state.inverse) @ state.histories
    return own - (own - found) / state.scale


def _als(past: Past, size, strength, alpha, **_):
    """Fits factors by alternating least squares (Hu et al., 2008)."""
    als = require("implicit.cpu.als", "recommender")
    with threadpool_limits(1, "blas"):  # it uses its own threads
        model = als.AlternatingLeastSquares(
            int(size), regularization=strength, random_state=0
        )
        model.fit(_sure(past.confidence, alpha), show_progress=False)
    return model


def _sure(rows, alpha):
    sure = rows.copy()
    sure.data = np.float32(1 + alpha * np.log1p(sure.data))
    return sure


def _als_scores(model, rows, alpha, **_):
    places = np.arange(rows.shape[0])
    users = model.recalculate_user(places, _sure(rows, alpha))
    return users @ model.item_factors.T


# ---- texts -------------------------------------------------------------


def of_texts(vectors: sparse.csr_matrix | np.ndarray) -> Method:
    """Makes a method that scores by the similarity of item texts.

    Args:
        vectors: unit vectors of the items' texts, `[items, d]`.
    """
    return Method(
        lambda past, **_: vectors,
        lambda state, rows, **_: _linear_scores(state.T, rows @ state),
        _grid(half_life=_RECENT),
    )


def _grid(**choices: Sequence[float]) -> tuple[dict[str, float], ...]:
    """Returns all combinations of choices by name, the last changing first."""
    names = list(choices)
    combinations = itertools.product(*choices.values())
    return tuple(dict(zip(names, one, strict=True)) for one in combinations)


POPULARITY, TEXTS, ALS = "popularity", "texts", "ALS"
_RECENT = (0.0, 60.0)
# Methods on histories alone; `of_texts` is added for texts.
METHODS = {
    POPULARITY: Method(
        _popular,
        _popular_scores,
        _grid(half_life=(0.0, 90.0, 30.0, 10.0)),
        fitted_by=("half_life",),
    ),
    "item-kNN": Method(
        _item_neighbours,
        _linear_scores,
        _grid(count=(20, 50), half_life=_RECENT),
        fitted_by=("count",),
    ),
    "user-kNN": Method(
        _users,
        _user_scores,
        tuple(
            {"count": count, "power": power, "half_life": days}
            for count, power in ((100, 1.0), (300, 2.0))
            for days in _RECENT
        ),
        fitted_by=("half_life",),
    ),
    "SVD": Method(
        _svd,
        _svd_scores,
        _grid(size=(32, 128), half_life=_RECENT),
        fitted_by=("size",),
    ),
    ALS: Method(
        _als,
        _als_scores,
        _grid(
            size=(32, 64),
            strength=(10.0, 30.0),
            alpha=(1.0,),
            half_life=_RECENT,
        ),
        fitted_by=("size", "strength", "alpha"),
    ),
    "EASE": Method(
        _ease,
        _ease_scores,
        _grid(strength=(200.0, 600.0), half_life=_RECENT),
        fitted_by=("strength",),
        square=True,
    ),
}
