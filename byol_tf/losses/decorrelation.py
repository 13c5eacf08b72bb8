"""Losses that keep the units of the projections apart, as pure functions.

They look at statistics over the batch. Given the vectors of all replicas,
these are the statistics of all replicas.
"""

import tensorflow as tf

_NORM_EPSILON = 1e-5  # of the variance, as in batch norm
_STD_EPSILON = 1e-4  # of the variance in VICReg


def barlow_twins(
    projection1: tf.Tensor,
    projection2: tf.Tensor,
    off_diagonal_weight: float = 0.005,
) -> tf.Tensor:
    """Brings the correlation of the two views' units to the identity.

    Args:
        projection1, projection2: of the views, float `[batch, dim]`.
        off_diagonal_weight: of the correlations between different units
            (lambda of the paper), not negative.

    Returns:
        float32 scalar, not negative: 0 where both views give the same
        uncorrelated units, dim where all vectors are alike.

    Reference: Zbontar et al. 2021, "Barlow Twins", section 2, equation 1.
    """
    correlation = tf.matmul(
        _standardized(projection1), _standardized(projection2), transpose_a=True
    ) / _rows(projection1)
    same = tf.reduce_sum(tf.square(1.0 - tf.linalg.diag_part(correlation)))
    return same + off_diagonal_weight * _off_diagonal(correlation)


def vicreg(
    projection1: tf.Tensor,
    projection2: tf.Tensor,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> tf.Tensor:
    """Equal views, units that vary by 1 at least, and uncorrelated ones.

    Args:
        projection1, projection2: of the views, float `[batch, dim]`.
        invariance: weight of the squared distance of the views, mean over
            batch and units (lambda of the paper).
        variance: weight of what the standard deviation of a unit lacks to 1,
            mean over the units, sum of both views (mu).
        covariance: weight of the squared covariances between different
            units, sum divided by dim, sum of both views (nu).

    Returns:
        float32 scalar, not negative; `1.98 * variance` where all vectors are
        alike, since 1e-4 is added to the variances.

    Reference: Bardes et al. 2022, "VICReg", section 4.1, equations 1 to 6.
    The distance is divided by dim, as in the official code, for which the
    weights are meant.
    """
    projection1 = tf.cast(projection1, tf.float32)
    projection2 = tf.cast(projection2, tf.float32)
    distance = tf.reduce_mean(tf.square(projection1 - projection2))
    spread1, apart1 = _spread_and_apart(projection1)
    spread2, apart2 = _spread_and_apart(projection2)
    return (
        invariance * distance
        + variance * (spread1 + spread2)
        + covariance * (apart1 + apart2)
    )


def _spread_and_apart(projection):
    """What deviations lack to 1, and the covariances: two scalars."""
    centred = projection - tf.reduce_mean(projection, axis=0)
    degrees = tf.maximum(_rows(projection) - 1.0, 1.0)
    covariance = tf.matmul(centred, centred, transpose_a=True) / degrees
    variance = tf.linalg.diag_part(covariance)
    deviation = tf.sqrt(variance + _STD_EPSILON)
    lacking = tf.reduce_mean(tf.nn.relu(1.0 - deviation))
    units = tf.cast(tf.shape(projection)[1], tf.float32)
    return lacking, _off_diagonal(covariance) / units


def _standardized(projection):
    projection = tf.cast(projection, tf.float32)
    mean, variance = tf.nn.moments(projection, axes=[0])
    return (projection - mean) * tf.math.rsqrt(variance + _NORM_EPSILON)


def _off_diagonal(matrix):
    """Sum of the squares beside the diagonal."""
    zeros = tf.zeros_like(tf.linalg.diag_part(matrix))
    return tf.reduce_sum(tf.square(tf.linalg.set_diag(matrix, zeros)))


def _rows(matrix):
    return tf.cast(tf.shape(matrix)[0], tf.float32)
