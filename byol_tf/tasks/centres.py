"""Heatmaps of box centres: targets and losses."""

import tensorflow as tf

_SPREAD = 0.54  # share of a box around its centre that is trained to predict it


def gaussians(
    boxes: tf.Tensor, valid: tf.Tensor, rows: int, columns: int
) -> tf.Tensor:
    """Makes a Gaussian around the centre of every box, as wide and high as it.

    Args:
        boxes: float32 `[batch, boxes, 4]`, finite, as fractions.
        valid: bool `[batch, boxes]`: whether a box exists.
        rows: rows of the map.
        columns: columns of the map.

    Returns:
        float32 `[batch, boxes, rows, columns]`: 1 in the cell of the centre, 0
        outside the middle of the box, and 0 for boxes that do not exist.

    Reference: Liu et al. 2020, "Training-time-friendly network".
    """
    x0, y0, x1, y1 = tf.unstack(boxes, axis=-1)
    down = _bell(y0, y1, rows)[..., :, None]
    across = _bell(x0, x1, columns)[..., None, :]
    return tf.where(valid[..., None, None], down * across, 0.0)


def _bell(low, high, cells):
    """Makes it along one axis, `[batch, boxes, cells]`."""
    centre = tf.floor((low + high) / 2 * cells)[..., None]
    centre = tf.clip_by_value(centre, 0.0, cells - 1.0)
    radius = tf.floor((high - low) * (cells * _SPREAD / 2))[..., None]
    sigma = (2 * radius + 1) / 6
    distances = tf.range(cells, dtype=tf.float32) - centre
    bell = tf.exp(-0.5 * (distances / sigma) ** 2)
    return tf.where(tf.abs(distances) <= radius, bell, 0.0)


def of_classes(bells: tf.Tensor, labels: tf.Tensor, classes: int) -> tf.Tensor:
    """Returns the maximum over the boxes of each class.

    Args:
        bells: result of `gaussians`.
        labels: int32 `[batch, boxes]`, -1 for none.
        classes: number of classes.

    Returns:
        float32 `[batch, rows, columns, classes]`.
    """
    batch, count = tf.shape(bells)[0], tf.shape(bells)[1]
    rows, columns = bells.shape[2:]
    first = tf.range(batch)[:, None] * classes
    segments = tf.where(labels < 0, -1, labels + first)
    largest = tf.math.unsorted_segment_max(
        tf.reshape(bells, [batch * count, rows * columns]),
        tf.reshape(segments, [-1]),
        batch * classes,
    )
    maps = tf.reshape(tf.maximum(largest, 0.0), [batch, classes, rows, columns])
    return tf.transpose(maps, [0, 2, 3, 1])


def focal_loss(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Computes the focal loss of a heatmap; cells near a peak weigh less.

    Args:
        targets: `[batch, ...]` in [0, 1], 1 at the peaks.
        logits: of the same shape.

    Returns:
        float32 `[batch]`, summed over the heatmap.

    Reference: Law and Deng 2018, "CornerNet", equation 1.
    """
    p = tf.sigmoid(logits)
    peak = (1 - p) ** 2 * tf.math.log_sigmoid(logits)
    other = (1 - targets) ** 4 * p**2 * tf.math.log_sigmoid(-logits)
    loss = -tf.where(targets >= 1.0, peak, other)
    return tf.reduce_sum(loss, axis=list(range(1, len(logits.shape))))


def box_loss(
    boxes: tf.Tensor, bells: tf.Tensor, predicted: tf.Tensor
) -> tf.Tensor:
    """Computes 1 - GIoU at cells near centres, summed over boxes, `[batch]`.

    A cell in the middle of several boxes belongs to the smallest.

    Args:
        boxes: float32 `[batch, boxes, 4]`, finite.
        bells: result of `gaussians`.
        predicted: boxes of every cell, `[batch, rows, columns, 4]`.

    Reference: Rezatofighi et al. 2019, "Generalized IoU".
    """
    area = tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    inverse = 1.0 / tf.maximum(area, 1e-9)
    owner = tf.argmax(
        tf.where(bells > 0, inverse[..., None, None], 0.0), axis=1
    )
    places = tf.range(tf.shape(bells)[1], dtype=owner.dtype)[:, None, None]
    owned = tf.where(owner[:, None] == places, bells, 0.0)
    total = tf.reduce_sum(owned, axis=[2, 3], keepdims=True)
    weights = tf.reduce_sum(owned / tf.maximum(total, 1e-9), axis=1)
    target_boxes = tf.gather(boxes, owner, axis=1, batch_dims=1)
    return tf.reduce_sum(
        weights * (1 - giou(target_boxes, predicted)), axis=[1, 2]
    )


def giou(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Computes the generalised intersection over union of boxes `[..., 4]`."""

    def area(low, high):
        return tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)

    (low, high), (low2, high2) = (
        (boxes[..., :2], boxes[..., 2:]) for boxes in (one, other)
    )
    intersection = area(tf.maximum(low, low2), tf.minimum(high, high2))
    union = area(low, high) + area(low2, high2) - intersection
    hull = area(tf.minimum(low, low2), tf.maximum(high, high2))
    union, hull = tf.maximum(union, 1e-9), tf.maximum(hull, 1e-9)
    return intersection / union - (hull - union) / hull
