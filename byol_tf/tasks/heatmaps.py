"""Heatmaps of named points: targets, loss and decoding."""

import tensorflow as tf

SIGMA = 2.0  # width in cells of the Gaussian around a point
_WINDOW = 4  # cells on each side of a peak to average its place over


def bells(points: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    """Makes a Gaussian around each point; all zero if it is hidden.

    Args:
        points: float32 `[batch, points, 2]` as fractions; NaN if hidden.
        rows: rows of the map.
        columns: columns of the map.

    Returns:
        float32 `[batch, rows, columns, points]` in [0, 1].
    """
    visible = ~tf.math.is_nan(points[..., 0])
    x, y = tf.unstack(tf.where(visible[..., None], points, 0.0), axis=-1)
    down = _bell(y, rows)[:, :, None]
    across = _bell(x, columns)[:, None]
    return tf.where(visible[:, None, None], down * across, 0.0)


def _bell(place, cells):
    """Makes it along one axis, `[batch, cells, points]`."""
    centre = (tf.range(cells, dtype=tf.float32) + 0.5)[:, None]
    return tf.exp(-0.5 * ((centre - place[:, None] * cells) / SIGMA) ** 2)


def heatmap_loss(
    targets: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Computes cross entropy minus its minimum, summed over cells, `[batch]`.

    It is the mean over points. Its minimum is the Gaussian itself, whose mean
    is the exact place of the point. `weights`, `[batch, points]`, is 0 for
    unlabelled points.
    """
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    clipped = tf.clip_by_value(targets, 1e-6, 1 - 1e-6)
    entropy = -clipped * tf.math.log(clipped) - (1 - clipped) * tf.math.log(
        1 - clipped
    )
    entropy = tf.where(targets > 1e-6, entropy, 0.0)
    loss = tf.reduce_sum(cross_entropy - entropy, axis=[1, 2])
    if weights is not None:
        loss *= weights
    return tf.reduce_mean(loss, axis=-1)


def places(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean place around the peak of each map, and its height.

    Args:
        logits: `[batch, rows, columns, points]`.

    Returns:
        float32 `[batch, points, 2]` as fractions, and `[batch, points]` in [0,
        1].
    """
    # In logarithms, since squares of a low peak would vanish, and ONNX Runtime
    # takes what is below about 1e-8 for 0.
    heat = tf.math.log_sigmoid(logits)
    _, rows, columns, count = heat.shape
    flat = tf.reshape(heat, [-1, rows * columns, count])
    height = tf.reduce_max(flat, axis=1)
    peak = tf.argmax(flat, axis=1, output_type=tf.int32)[:, None, None]
    y = tf.range(rows)[:, None, None]
    x = tf.range(columns)[None, :, None]
    inside = (tf.abs(y - peak // columns) <= _WINDOW) & (
        tf.abs(x - peak % columns) <= _WINDOW
    )
    relative = heat - height[:, None, None]
    # A squared Gaussian is narrow enough to fit the window.
    weights = tf.where(inside, tf.exp(2.0 * relative), 0.0)
    total = tf.reduce_sum(weights, axis=[1, 2])
    coordinates = []
    for position, peak_position, cells in (
        (x, peak % columns, columns),
        (y, peak // columns, rows),
    ):
        position = tf.cast(position, tf.float32) + 0.5
        mean = tf.reduce_sum(weights * position, [1, 2]) / total
        is_cut = (peak_position < _WINDOW) | (peak_position >= cells - _WINDOW)
        is_cut = tf.cast(is_cut[:, 0, 0], tf.float32)
        offsets = position - mean[:, None, None]
        mean += is_cut * _off_the_centre(relative, weights, offsets)
        coordinates.append(tf.clip_by_value(mean / cells, 0.0, 1.0))
    return tf.stack(coordinates, axis=-1), tf.exp(height)


def _off_the_centre(relative, weights, offsets):
    """Returns how far centres of bells are from means, where the border cuts.

    The logarithm of a bell plus the parabola of its width is a line, whose
    slope tells the centre. `offsets`, from the mean, have these `weights`.
    """
    line = relative + 0.5 * (offsets / SIGMA) ** 2
    slope = tf.math.divide_no_nan(
        tf.reduce_sum(weights * offsets * line, [1, 2]),
        tf.reduce_sum(weights * offsets**2, [1, 2]),
    )
    return tf.clip_by_value(SIGMA**2 * slope, -SIGMA, SIGMA)
