"""Linear classification of frozen features, in closed form."""

import dataclasses
from collections.abc import Sequence

import numpy as np

# Half decades around the eigenvalues of standardised features: n on average, up
# to n * dim for the first, and far below n for the last.
DEFAULT_ALPHAS = tuple(10.0 ** (exponent / 2) for exponent in range(-4, 15))
_BLOCK = 4096  # rows whose targets are made at once


@dataclasses.dataclass(frozen=True)
class LinearClassifier:
    """An affine map from features to one score per class.

    Attributes:
        weights: float32 `[dim, num_classes]`, for features as they are.
        bias: float32 `[num_classes]`.
        alpha: the chosen penalty, in the units of the function that fitted it;
            0 for none.
    """

    weights: np.ndarray
    bias: np.ndarray
    alpha: float

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Computes scores `[n, num_classes]` of features `[n, dim]`."""
        return np.asarray(features, np.float32) @ self.weights + self.bias

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Returns the class with the highest score, int64 `[n]`."""
        return self.scores(features).argmax(axis=1)

    def accuracy(self, features: np.ndarray, labels: np.ndarray) -> float:
        """Computes the accuracy on features `[n, dim]` with labels `[n]`."""
        return float(np.mean(self.predict(features) == np.asarray(labels)))


class RidgePath:
    """Ridge regressions of the same data for any penalty.

    The data are decomposed once; each penalty then costs two matrix products.
    The intercept is not penalised.

    Args:
        features: float64 `[n, dim]`, at least two rows.
        targets: bool or float64 `[n, outputs]`. Converted to float64 in blocks,
            since with many rows and classes it is far larger than the features.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray):
        self.targets_mean = targets.mean(axis=0)
        self._targets = targets
        # scores @ axes.T, with orthogonal columns in both and orthonormal
        # ones in axes.
        decomposed = _decompose(features - features.mean(axis=0))
        self._scores, self._values, self._axes = decomposed
        self._products = sum(
            self._scores[rows].T @ self._centred(rows)
            for rows in self._blocks()
        )  # [rank, outputs]

    def weights(self, alpha: float) -> np.ndarray:
        """Returns the coefficients `[dim, outputs]` that minimise
        `|targets - features @ weights|^2 + alpha |weights|^2`, both centred.
        """
        return self._axes @ (self._products / (self._values + alpha)[:, None])

    def loo_residuals(
        self, alpha: float, rows: slice = slice(None)
    ) -> np.ndarray:
        """Returns leave-one-out errors `[rows, outputs]`.

        They are exact: equal to fitting n times, means included.
        """
        coefficients = self._products / (self._values + alpha)[:, None]
        scores = self._scores[rows]
        residuals = self._centred(rows) - scores @ coefficients
        leverage = scores**2 @ (1 / (self._values + alpha))
        leverage += 1 / len(self._scores)  # of the intercept
        return residuals / (1 - leverage)[:, None]

    def loo_error(self, alpha: float) -> float:
        """Returns the mean square of `loo_residuals`."""
        squares = (
            np.sum(self.loo_residuals(alpha, rows) ** 2)
            for rows in self._blocks()
        )
        return float(sum(squares) / self._targets.size)

    def _centred(self, rows):
        return self._targets[rows] - self.targets_mean

    def _blocks(self):
        starts = range(0, len(self._targets), _BLOCK)
        return [slice(start, start + _BLOCK) for start in starts]


def ridge_classifier(
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
) -> LinearClassifier:
    """Fits one-hot labels by ridge regression on standardised features.

    Chooses the penalty with the smallest squared leave-one-out error, which is
    smooth in the penalty. Leave-one-out accuracy moves in steps and is biased
    against strong penalties: without one example its class is rarer than the
    others, so a fit near the mean gets every example wrong. Features are
    standardised over all examples.

    Args:
        features: float `[n, dim]` of the training examples, finite.
        labels: int `[n]` in [0, num_classes), with at least two classes.
        num_classes: number of classes.
        alphas: positive penalties to choose from, in units of the squared
            standardised features summed over the examples.

    Returns:
        A `LinearClassifier` for features as they are.

    Raises:
        ValueError: if shapes, labels or penalties are invalid.
    """
    features, labels = _checked(features, labels, num_classes)
    if not len(alphas) or not min(alphas) > 0:
        raise ValueError(
            f"`alphas` must be positive numbers. Received: alphas={alphas}"
        )
    scale = features.std(axis=0)
    # Ignore constant units, which would be divided by rounding errors.
    scale[scale <= 1e-6 * scale.max()] = np.inf
    mean = features.mean(axis=0)
    features = features / scale  # in place of the copy in float64
    path = RidgePath(features, labels[:, None] == np.arange(num_classes))
    errors = [path.loo_error(alpha) for alpha in alphas]
    alpha = float(alphas[int(np.argmin(errors))])
    weights = path.weights(alpha) / scale[:, None]
    bias = path.targets_mean - mean @ weights
    return LinearClassifier(
        weights.astype(np.float32), bias.astype(np.float32), alpha
    )


def _decompose(centred):
    """Returns scores `[n, rank]`, squared lengths `[rank]`, axes `[dim, rank]`.

    By the Gram matrix of the smaller dimension: faster than an SVD, and
    precise enough, since penalties lie far above its rounding errors.
    """
    count, dim = centred.shape
    wide = dim > count
    values, vectors = np.linalg.eigh(
        centred @ centred.T if wide else centred.T @ centred
    )
    nonzero = values > values[-1] * np.finfo(np.float64).eps * max(count, dim)
    values, vectors = values[nonzero], vectors[:, nonzero]
    if wide:
        lengths = np.sqrt(values)
        return vectors * lengths, values, centred.T @ (vectors / lengths)
    return centred @ vectors, values, vectors


def _checked(features, labels, num_classes):
    features = np.asarray(features, np.float64)
    labels = np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            "`features` must be a matrix with one label for each row. "
            f"Received: features.shape={features.shape}, "
            f"labels.shape={labels.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError(
            "`features` must be finite. Received: features with NaN or "
            "infinite values. Has the training diverged?"
        )
    present = np.unique(labels)
    if len(present) < 2 or present[0] < 0 or present[-1] >= num_classes:
        raise ValueError(
            f"`labels` must be of two classes or more in [0, {num_classes}); "
            "leave out examples without a label. "
            f"Received: labels with the values {present[:20]}"
        )
    return features, labels.astype(np.int64)
