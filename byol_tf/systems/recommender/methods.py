"""Methods that score items for histories, fitted in closed form.

Each is fitted on a `Past` and scores any histories, also of users it has not
seen. All are fitted, tuned and evaluated the same way.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import linalg
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from byol_tf.checks import require
from byol_tf.systems.recommender.past import Past, Rows

# Largest square matrix to invert, items or users: 1.6 GB each.
MAX_SQUARE = 20_000
_BLOCK = 512  # rows per block of a product that is sparsified

# From histories of n users to dense float32 `[n, items]`.
Scores = Callable[[Rows], np.ndarray]


class Method(NamedTuple):
    """A method that scores items.

    Attributes:
        fit: from a `Past` and one of `fits` to a function, which takes `Rows`
            and one of `scorings` and returns scores.
        fits: settings to fit with.
        scorings: settings to score with.
        square: whether it inverts a matrix of items by items, or of users by
            users if there are fewer.
    """

    fit: Callable[..., Callable[..., np.ndarray]]
    fits: Sequence[Mapping[str, float]] = ({},)
    scorings: Sequence[Mapping[str, float]] = ({},)
    square: bool = False

    def fitted(self, past: Past, setting: Mapping[str, float]) -> Scores:
        """Fits with a setting for fitting and scoring together."""
        fit_setting = {name: setting[name] for name in self.fits[0]}
        score_setting = {
            n: value for n, value in setting.items() if n not in fit_setting
        }
        return functools.partial(self.fit(past, **fit_setting), **score_setting)


def _popular(past: Past, half_life):
    counts = np.asarray(past.matrix(half_life).sum(axis=0)).ravel()
    state = np.float32(np.log1p(counts))
    return lambda rows: np.tile(state, (rows(0.0).shape[0], 1))


# ---- neighbours --------------------------------------------------------


def nearest(
    rows: sparse.csr_matrix,
    others: sparse.csr_matrix,
    count: int,
    exclude_self: bool = False,
) -> sparse.csr_matrix:
    """Returns cosines of each row with its `count` most similar others.

    Args:
        rows, others: `[n, d]` and `[m, d]`, sparse.
        count: neighbours to keep; more, if several are equally similar.
        exclude_self: whether `others` are the rows, so that a row is not its
            own neighbour.
    """
    unit, transposed = normalize(rows), normalize(others).T.tocsr()
    parts = []
    for start in range(0, rows.shape[0], _BLOCK):
        cosines = (unit[start : start + _BLOCK] @ transposed).toarray()
        if exclude_self:
            indices = np.arange(len(cosines))
            cosines[indices, indices + start] = 0
        parts.append(_largest(cosines, count))
    return sparse.vstack(parts, "csr")


def _largest(values, count):
    """Keeps the largest positive values of each row, as a sparse matrix."""
    if count < values.shape[1]:
        threshold = np.partition(values, -count, axis=1)[:, -count, None]
        values = np.where(values >= threshold, values, 0)
    return sparse.csr_matrix(np.maximum(values, 0))


def _item_neighbours(past: Past, count):
    items = past.matrix().T.tocsr()
    near = nearest(items, items, int(count), exclude_self=True).T.tocsr()
    return lambda rows, half_life: (rows(half_life) @ near).toarray()


def by_users(
    similarities: np.ndarray,
    histories: sparse.csr_matrix,
    count: int,
    power: float,
) -> np.ndarray:
    """Scores items by neighbours' histories, weighted by cosine ** power.

    Args:
        similarities: cosines with all users, `[n, users]`.
        histories: `[users, items]`.
        count: neighbours to keep.
        power: exponent of the weights.
    """
    near = _largest(similarities, int(count))
    near.data **= power
    return (near @ histories).toarray()


def _user_neighbours(past: Past, half_life):
    histories = past.matrix(half_life)
    transposed = normalize(histories).T.tocsr()

    def score(rows, count, power):
        similarities = (normalize(rows(half_life)) @ transposed).toarray()
        return by_users(similarities, histories, count, power)

    return score


def of_texts(vectors: sparse.csr_matrix | np.ndarray) -> Method:
    """Makes a method that scores by the similarity of item texts.

    Args:
        vectors: unit vectors of the items' texts, `[items, d]`.
    """

    def score(rows, half_life):
        scores = (rows(half_life) @ vectors) @ vectors.T
        return scores.toarray() if sparse.issparse(scores) else scores

    return Method(lambda past: score, scorings=_RECENT)


# ---- factors -----------------------------------------------------------


def _svd(past: Past, size):
    rows = past.matrix()
    size = int(min(size, min(rows.shape) - 1))
    *_, components = linalg.svds(rows, k=size, v0=np.ones(min(rows.shape)))
    factors = np.float32(components.T)
    return lambda rows, half_life: (rows(half_life) @ factors) @ factors.T


def _ease(past: Past, strength):
    """Fits a ridge regression of each item on all others, by histories."""
    rows = past.matrix()
    if rows.shape[1] > rows.shape[0]:
        return _ease_of_users(rows, strength)
    weights = _inverse(rows.T @ rows, strength)
    weights /= -np.diag(weights)
    np.fill_diagonal(weights, 0)
    return lambda rows, half_life: rows(half_life) @ weights


def _ease_of_users(histories, strength):
    """Does the same with a matrix of users by users, by Woodbury's formula."""
    inverse = _inverse(histories @ histories.T, strength)
    transposed = histories.T.tocsr()
    # In blocks, since a dense matrix of all items and users would not fit.
    parts = (
        transposed[start : start + _BLOCK]
        for start in range(0, transposed.shape[0], _BLOCK)
    )
    diagonal = [np.ravel(p.multiply(p @ inverse).sum(axis=1)) for p in parts]
    scale = 1 - np.float32(np.concatenate(diagonal))

    def score(rows, half_life):
        rows = rows(half_life)
        dense, predictions = (
            rows.toarray(),
            (rows @ transposed) @ inverse @ histories,
        )
        return dense - (dense - predictions) / scale

    return score


def _inverse(products, strength):
    matrix = products.toarray().astype(np.float32)
    matrix[np.diag_indices_from(matrix)] += strength
    return np.linalg.inv(matrix)


def _als(past: Past, size, strength, alpha):
    """Fits factors by alternating least squares (Hu et al., 2008)."""
    als = require("implicit.cpu.als", "recommender")

    def confidence(rows):
        rows = rows.copy()
        rows.data = np.float32(1 + alpha * np.log1p(rows.data))
        return rows

    def score(rows, half_life):
        histories = confidence(rows(half_life))
        users = model.recalculate_user(np.arange(histories.shape[0]), histories)
        return users @ model.item_factors.T

    with threadpool_limits(1, "blas"):  # it uses its own threads
        model = als.AlternatingLeastSquares(
            int(size), regularization=strength, random_state=0
        )
        model.fit(confidence(past.confidence), show_progress=False)
    return score


def _grid(**choices: Sequence[float]) -> tuple[dict[str, float], ...]:
    """Returns all combinations of choices by name, the last changing first."""
    return tuple(
        dict(zip(choices, values, strict=True))
        for values in itertools.product(*choices.values())
    )


POPULARITY, TEXTS, ALS = "popularity", "texts", "ALS"
_RECENT = _grid(half_life=(0.0, 60.0))
# Methods on histories alone; `of_texts` is added for texts.
METHODS = {
    POPULARITY: Method(_popular, _grid(half_life=(0.0, 90.0, 30.0, 10.0))),
    "item-kNN": Method(_item_neighbours, _grid(count=(20, 50)), _RECENT),
    "user-kNN": Method(
        _user_neighbours,
        _RECENT,
        ({"count": 100, "power": 1.0}, {"count": 300, "power": 2.0}),
    ),
    "SVD": Method(_svd, _grid(size=(32, 128)), _RECENT),
    ALS: Method(
        _als, _grid(size=(32, 64), strength=(10.0, 30.0), alpha=(1.0,)), _RECENT
    ),
    "EASE": Method(_ease, _grid(strength=(200.0, 600.0)), _RECENT, square=True),
}
