"""BYOL's loss on the positions of feature maps that two views share."""

from collections.abc import Mapping

import tensorflow as tf


def positions_loss(
    predictions: tf.Tensor, targets: tf.Tensor, where: Mapping, other: Mapping
) -> tf.Tensor:
    """Computes the mean squared distance of unit vectors at shared positions.

    Args:
        predictions: float32 `[batch, rows, columns, size]`, of one view.
        targets: the same for the other view; no gradient flows into them.
        where: place of the view, a dict of `box`, float32 `[batch, 4]`: top,
            left, height and width as fractions of the example; and `flip`, bool
            `[batch]`: whether it is then flipped.
        other: place of the other view.

    Returns:
        float32 scalar in [0, 4], mean over all positions that both views show;
        0 if there is none.
    """
    index, shared = same_places(where, other, *predictions.shape[1:3])
    batch, size = tf.shape(predictions)[0], predictions.shape[-1]
    predictions, targets = (
        tf.math.l2_normalize(tf.reshape(maps, [batch, -1, size]), axis=-1)
        for maps in (predictions, tf.stop_gradient(targets))
    )
    matched_targets = tf.gather(targets, index, axis=1, batch_dims=1)
    errors = 2.0 - 2.0 * tf.reduce_sum(predictions * matched_targets, axis=-1)
    shared = tf.cast(shared, tf.float32)
    count = tf.maximum(tf.reduce_sum(shared), 1.0)
    return tf.reduce_sum(errors * shared) / count


def same_places(where: Mapping, other: Mapping, rows: int, columns: int):
    """Finds, for each position of a view, the nearest one in the other view.

    Leaves out what a view shows beyond the edges, as a crop of sound may.

    Args:
        where: place of the view, see `positions_loss`.
        other: place of the other view.
        rows: rows of the feature map.
        columns: columns of the feature map.

    Returns:
        int32 `[batch, rows * columns]`, counted along rows, and bool of the
        same shape: whether both views show the position.

    Raises:
        ValueError: if a view is rotated.
    """
    if "angle" in where or "angle" in other:
        raise ValueError("dense_byol needs upright views; set augment.rotate=0")
    y, x = tf.meshgrid(
        (tf.range(rows, dtype=tf.float32) + 0.5) / rows,
        (tf.range(columns, dtype=tf.float32) + 0.5) / columns,
        indexing="ij",
    )
    y, x = tf.reshape(y, [1, -1]), tf.reshape(x, [1, -1])
    x = tf.where(where["flip"][:, None], 1.0 - x, x)
    top, left, height, width = tf.unstack(where["box"][:, None], axis=-1)
    y, x = top + y * height, left + x * width
    inside = (x >= 0) & (x < 1)
    top, left, height, width = tf.unstack(other["box"][:, None], axis=-1)
    y, x = (y - top) / height, (x - left) / width
    x = tf.where(other["flip"][:, None], 1.0 - x, x)
    shared = inside & (y >= 0) & (y < 1) & (x >= 0) & (x < 1)
    row, column = tf.floor(y * rows), tf.floor(x * columns)
    index = tf.cast(tf.where(shared, row * columns + column, 0.0), tf.int32)
    return index, shared
