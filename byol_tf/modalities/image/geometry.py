"""Crops, resizes, flips and rotates images, each with its own box.

As in `ops`, `images` is float32 `[batch, height, width, channels]` in [0, 1]
with any number of channels, a parameter is float32 `[batch]`, and everything
compiles under XLA.
"""

import math

import tensorflow as tf

from byol_tf.modalities.image.layer import unit_values
from byol_tf.modalities.image.ops import apart
from byol_tf.runtime import has_accelerator

_LARGE = 112  # outputs of an axis; matrices for more would be mostly zero
_STRIP = 16  # rows
# Pixels that an output is computed from, relative to the one before it.
_TAPS = {"bicubic": (-1.0, 0.0, 1.0, 2.0), "bilinear": (0.0, 1.0)}
METHODS = tuple(_TAPS)


def crop_and_resize(
    images: tf.Tensor,
    top: tf.Tensor,
    left: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
    size: tuple[int, int],
    flip: tf.Tensor | None = None,
    method: str = "bicubic",
) -> tf.Tensor:
    """Cuts a box out of every image and resizes it.

    Equal to `tf.image.resize(image[top:top + height, left:left + width], size,
    method)` per image, clipped to [0, 1] because the cubic kernel overshoots.

    Args:
        images: as above, or uint8.
        top: first row of the box, whole pixels.
        left: first column of the box.
        height: rows of the box, at least 1.
        width: columns of the box, at least 1.
        size: height and width of the result.
        flip: bool `[batch]`, flips left and right; None: no image.
        method: "bicubic" (Keys, a = -0.5) or "bilinear".

    Returns:
        float32 `[batch, *size, channels]` in [0, 1].
    """
    down, across = (top, height, None), (left, width, flip)
    use_taps = min(size) >= _LARGE and not has_accelerator()
    resize = _by_taps if use_taps else _by_matrices
    resized = resize(images, down, across, size, method)
    return tf.clip_by_value(resized, 0.0, 1.0)


def _by_matrices(images, down, across, size, method):
    """Multiplies by one matrix per image and axis.

    Boxes of any size cost the same, nothing is gathered, and every accelerator
    is made for it.
    """
    batch, rows, columns, channels = sizes(images)
    down = _matrices(*down, rows, size[0], method)
    across = _matrices(*across, columns, size[1], method)
    x = tf.reshape(unit_values(images), [batch, rows, columns * channels])
    x = tf.matmul(down, x)  # [B, h, W * C]
    x = tf.reshape(x, [batch, size[0], columns, channels])
    x = tf.transpose(x, [0, 3, 1, 2])  # [B, C, h, W]
    x = tf.reshape(x, [batch, channels * size[0], columns])
    x = tf.matmul(x, across, transpose_b=True)  # [B, C * h, w]
    x = tf.reshape(x, [batch, channels, *size])
    return tf.transpose(x, [0, 2, 3, 1])  # [B, h, w, C]


def _by_taps(images, down, across, size, method):
    """Gathers the few pixels that an output is computed from."""
    batch, rows, columns, channels = sizes(images)
    # Transposed in strips of few rows, so that both sides fit into the cache.
    strip = math.gcd(size[0], _STRIP)
    strips = size[0] // strip
    x = tf.reshape(images, [batch, 1, rows, columns * channels])
    x = _gathered(x, *down, size[0], method)  # [B, 1, h, W * C]
    x = tf.reshape(x, [batch, strips, strip, columns * channels])
    x = apart(lambda: tf.transpose(x, [0, 1, 3, 2]), down[1])
    x = tf.reshape(x, [batch, strips, columns, channels * strip])
    x = _gathered(x, *across, size[1], method)  # [B, strips, w, C * strip]
    x = tf.reshape(x, [batch, strips, size[1], channels, strip])
    x = tf.transpose(x, [0, 1, 4, 2, 3])  # [B, strips, strip, w, C]
    return tf.reshape(x, [batch, *size, channels])


def _matrices(start, length, flip, inputs, outputs, method):
    """Makes matrices that crop and resize, `[batch, outputs, inputs]`."""
    position = _positions(length, flip, outputs, method)
    pixel = tf.range(inputs, dtype=tf.float32) - start[:, None]
    return _weights(pixel[:, None], position, length, method)


def _gathered(x, start, length, flip, outputs, method):
    """Crops and resizes axis 2 of `[batch, strips, inputs, n]`."""
    batch, strips, inputs, n = sizes(x)
    position = _positions(length, flip, outputs, method)
    pixel = tf.floor(position) + tf.constant(_TAPS[method])
    weights = _weights(pixel, position, length, method)
    pixel = tf.clip_by_value(pixel, 0.0, length[:, None, None] - 1.0)
    index = tf.cast(pixel + start[:, None, None], tf.int32)
    # The rows of all strips of all images, concatenated.
    first = tf.reshape(tf.range(batch * strips) * inputs, [batch, strips, 1])
    x = tf.reshape(x, [batch * strips * inputs, n])
    pairs = (tf.unstack(part, axis=2) for part in (weights, index))
    taps = [
        (w[:, None, :, None], first + i[:, None])
        for w, i in zip(*pairs, strict=True)
    ]
    return apart(
        lambda: sum(w * unit_values(tf.gather(x, i)) for w, i in taps), length
    )


def _positions(length, flip, outputs, method):
    """Returns the positions of outputs in a range, `[batch, outputs, 1]`."""
    index = tf.range(outputs, dtype=tf.float32)
    if flip is not None:
        index = tf.where(flip[:, None], outputs - 1.0 - index, index)
    position = (index + 0.5) * (length[:, None] / outputs) - 0.5
    if method == "bilinear":
        position = tf.clip_by_value(position, 0.0, length[:, None] - 1.0)
    else:  # TensorFlow reads the cubic kernel from a table of 1024 steps.
        floor = tf.floor(position)
        position = floor + tf.round((position - floor) * 1024.0) / 1024.0
    return position[..., None]


def _weights(pixel, position, length, method):
    """Returns the weights of pixels in outputs, `[batch, outputs, pixels]`.

    Args:
        pixel: inputs, counted from the start of the range, `[batch, outputs or
            1, pixels]`.
        position: positions of outputs in the range, `[batch, outputs, 1]`.
        length: length of the range, `[batch]`.
        method: see `crop_and_resize`.
    """
    distance = tf.abs(pixel - position)
    if method == "bilinear":
        return tf.maximum(1.0 - distance, 0.0)
    inside = (pixel >= 0.0) & (pixel <= length[:, None, None] - 1.0)
    weights = tf.where(inside, _keys_cubic(distance), 0.0)
    return weights * (1.0 / tf.reduce_sum(weights, -1, keepdims=True))


def _keys_cubic(x):
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))


def rotate(images: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Rotates every image about its centre, with bilinear interpolation.

    The image continues beyond its border as its mirror image.

    Args:
        images: as above.
        angle: degrees, counter-clockwise.
    """
    batch, height, width, channels = sizes(images)
    middle_y, middle_x = (
        (tf.cast(side, tf.float32) - 1.0) / 2.0 for side in (height, width)
    )
    y = tf.range(height, dtype=tf.float32)[:, None] - middle_y
    x = tf.range(width, dtype=tf.float32) - middle_x
    radians = angle[:, None, None] * (math.pi / 180.0)
    cos, sin = tf.cos(radians), tf.sin(radians)
    # Where the pixel comes from, [B, H, W].
    source_y = cos * y + sin * x + middle_y
    source_x = cos * x - sin * y + middle_x
    pixels = tf.reshape(images, [batch * height * width, channels])
    first = tf.range(batch)[:, None, None] * (height * width)
    result = 0.0
    for row in _neighbours(source_y):
        for column in _neighbours(source_x):
            weight = _tent(source_y - row) * _tent(source_x - column)
            index = _mirror(row, height) * width + _mirror(column, width)
            result += weight[..., None] * tf.gather(pixels, first + index)
    return tf.clip_by_value(result, 0.0, 1.0)


def _neighbours(position):
    return tf.floor(position), tf.floor(position) + 1.0


def _tent(distance):
    return tf.maximum(1.0 - tf.abs(distance), 0.0)


def _mirror(index, length):
    """Returns indices into an endless row of images, every other mirrored."""
    last = length - 1
    index = tf.cast(index, tf.int32) % tf.maximum(2 * last, 1)
    return last - tf.abs(last - index)


def sizes(images: tf.Tensor) -> tuple:
    """Returns the four sizes of a batch, as integers where they are known."""
    dynamic = tf.shape(images)
    return tuple(
        dynamic[axis] if size is None else size
        for axis, size in enumerate(images.shape)
    )
