"""Losses that decorrelate the units of projections, as pure functions.

They use statistics over the batch; given the vectors of all replicas, over all
replicas.
"""

import tensorflow as tf

_NORM_EPSILON = 1e-5  # added to the variance, as in batch norm
_STD_EPSILON = 1e-4  # added to the variance in VICReg


def barlow_twins(
    projection1: tf.Tensor,
    projection2: tf.Tensor,
    off_diagonal_weight: float = 0.005,
) -> tf.Tensor:
    """Pulls the cross-correlation of the two views' units to the identity.

    Args:
        projection1, projection2: projections of the views, float `[batch,
            dim]`.
        off_diagonal_weight: weight of the correlations between different units
            (the paper's lambda); at least 0.

    Returns:
        float32 scalar, at least 0: 0 if both views give the same uncorrelated
        units, dim if all vectors are equal.

    Reference: Zbontar et al. 2021, "Barlow Twins", section 2, equation 1.
    """
    correlation = tf.matmul(
        _standardized(projection1), _standardized(projection2), transpose_a=True
    ) / _rows(projection1)
    on_diagonal = tf.reduce_sum(
        tf.square(1.0 - tf.linalg.diag_part(correlation))
    )
    return on_diagonal + off_diagonal_weight * _off_diagonal(correlation)


def vicreg(
    projection1: tf.Tensor,
    projection2: tf.Tensor,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> tf.Tensor:
    """Pulls views together, keeps units varying and decorrelates them.

    Args:
        projection1, projection2: projections of the views, float `[batch,
            dim]`.
        invariance: weight of the squared distance of the views, mean over batch
            and units (the paper's lambda).
        variance: weight of `max(0, 1 - std)` of each unit, mean over the units,
            sum of both views (mu).
        covariance: weight of the squared covariances between different units,
            sum divided by dim, sum of both views (nu).

    Returns:
        float32 scalar, at least 0; `1.98 * variance` if all vectors are equal,
        since 1e-4 is added to the variances.

    Reference: Bardes et al. 2022, "VICReg", section 4.1, equations 1 to 6. The
    distance is divided by dim, as in the official code, which the weights are
    meant for; that code also halves the variance term.
    """
    projection1 = tf.cast(projection1, tf.float32)
    projection2 = tf.cast(projection2, tf.float32)
    distance = tf.reduce_mean(tf.square(projection1 - projection2))
    variance_term1, covariance_term1 = _variance_and_covariance(projection1)
    variance_term2, covariance_term2 = _variance_and_covariance(projection2)
    return (
        invariance * distance
        + variance * (variance_term1 + variance_term2)
        + covariance * (covariance_term1 + covariance_term2)
    )


def _variance_and_covariance(projection):
    """Returns the variance and the covariance term: two scalars."""
    centred = projection - tf.reduce_mean(projection, axis=0)
    degrees = tf.maximum(_rows(projection) - 1.0, 1.0)
    covariance = tf.matmul(centred, centred, transpose_a=True) / degrees
    variance = tf.linalg.diag_part(covariance)
    deviation = tf.sqrt(variance + _STD_EPSILON)
    variance_term = tf.reduce_mean(tf.nn.relu(1.0 - deviation))
    units = tf.cast(tf.shape(projection)[1], tf.float32)
    return variance_term, _off_diagonal(covariance) / units


def _standardized(projection):
    projection = tf.cast(projection, tf.float32)
    mean, variance = tf.nn.moments(projection, axes=[0])
    return (projection - mean) * tf.math.rsqrt(variance + _NORM_EPSILON)


def _off_diagonal(matrix):
    """Returns the sum of the squares off the diagonal."""
    zeros = tf.zeros_like(tf.linalg.diag_part(matrix))
    return tf.reduce_sum(tf.square(tf.linalg.set_diag(matrix, zeros)))


def _rows(matrix):
    return tf.cast(tf.shape(matrix)[0], tf.float32)
