"""Cropping, resizing, mirroring and turning, with a box for every image.

As in `ops`: `images` is float32 `[batch, height, width, channels]` in [0, 1]
with any number of channels, a parameter is float32 `[batch]`, and everything
compiles under XLA.
"""

import math

import tensorflow as tf

# From so many outputs on, they are made in blocks of at most so many.
_LARGE, _BLOCK = 112, 28


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

    Equal to `tf.image.resize(image[top:top + height, left:left + width],
    size, method)` per image, clipped to [0, 1] because the cubic kernel
    overshoots.

    Args:
        images: the images.
        top: first row of the box, whole pixels.
        left: first column of the box.
        height: rows of the box, at least 1.
        width: columns of the box, at least 1.
        size: height and width of the result.
        flip: bool `[batch]`, mirrors left and right; None for no image.
        method: "bicubic" (Keys, a = -0.5) or "bilinear".

    Returns:
        float32 `[batch, *size, channels]` in [0, 1].
    """
    down, across = (top, height, None), (left, width, flip)
    if min(size) >= _LARGE and None not in images.shape[1:3]:
        resized = _by_blocks(images, down, across, size, method)
    else:
        resized = _by_matrices(images, down, across, size, method)
    return tf.clip_by_value(resized, 0.0, 1.0)


def _by_matrices(images, down, across, size, method):
    """By one matrix an image and axis.

    Boxes of any size cost the same, nothing is gathered, and every
    accelerator is made for it.
    """
    batch, rows, columns, channels = sizes(images)
    down = _matrices(*down, rows, size[0], method)
    across = _matrices(*across, columns, size[1], method)
    x = tf.reshape(images, [batch, rows, columns * channels])
    x = tf.matmul(down, x)  # [B, h, W * C]
    x = tf.reshape(x, [batch, size[0], columns, channels])
    x = tf.transpose(x, [0, 3, 1, 2])  # [B, C, h, W]
    x = tf.reshape(x, [batch, channels * size[0], columns])
    x = tf.matmul(x, across, transpose_b=True)  # [B, C * h, w]
    x = tf.reshape(x, [batch, channels, *size])
    return tf.transpose(x, [0, 2, 3, 1])  # [B, h, w, C]


def _by_blocks(images, down, across, size, method):
    """The same for large images, of whose matrices most would be zero."""
    batch, _, columns, channels = sizes(images)
    x = tf.reshape(images, [batch, -1, columns * channels])
    x = _resized(x, *down, size[0], method)  # [B, h, W * C]
    x = tf.reshape(x, [batch, size[0], columns, channels])
    x = tf.transpose(x, [0, 2, 3, 1])  # [B, W, C, h]
    x = tf.reshape(x, [batch, columns, channels * size[0]])
    x = _resized(x, *across, size[1], method)  # [B, w, C * h]
    x = tf.reshape(x, [batch, size[1], channels, size[0]])
    return tf.transpose(x, [0, 3, 1, 2])  # [B, h, w, C]


def _matrices(start, length, flip, inputs, outputs, method):
    """What crops and resizes an axis, `[batch, outputs, inputs]`."""
    position = _positions(tf.range(outputs), length, flip, outputs)
    pixel = tf.range(inputs, dtype=tf.float32) - start[:, None]
    return _weights(pixel, position, length[:, None], method)


def _resized(x, start, length, flip, outputs, method):
    """Crops and resizes axis 1 of `[batch, inputs, n]`, in blocks of outputs.

    Neighbours come from neighbours, so each block is made from those inputs
    alone that it can need.
    """
    blocks = -(-outputs // _BLOCK)
    block = -(-outputs // blocks)
    # The last block may be filled up with the last output.
    place = tf.minimum(tf.range(blocks * block), outputs - 1)
    position = _positions(place, length, flip, outputs)
    position = tf.reshape(position, [-1, blocks, block])
    inputs = _inputs(position, start[:, None], x.shape[1], outputs)
    x = tf.gather(x, tf.cast(inputs, tf.int32), batch_dims=1)
    pixel, length = inputs - start[:, None, None], length[:, None, None]
    x = tf.matmul(_weights(pixel, position, length, method), x)
    shape = [-1, blocks * block, x.shape[-1] or tf.shape(x)[-1]]
    return tf.reshape(x, shape)[:, :outputs]


def _positions(place, length, flip, outputs):
    """Where outputs lie among the pixels of a range, `[batch, outputs]`."""
    place = tf.cast(place, tf.float32)
    if flip is not None:
        place = tf.where(flip[:, None], outputs - 1.0 - place, place)
    return (place + 0.5) * (length[:, None] / outputs) - 0.5


def _inputs(position, start, inputs, outputs):
    """Those that the outputs of each block can need, `[batch, blocks, n]`."""
    # From one before the lowest position to two after the highest.
    span = (position.shape[-1] - 1) * max(1.0, inputs / outputs)
    needed = min(math.ceil(span) + 4, inputs)
    first = tf.floor(tf.reduce_min(position, -1)) - 1.0 + start
    first = tf.clip_by_value(first, 0.0, float(inputs - needed))
    return first[..., None] + tf.range(needed, dtype=tf.float32)


def _weights(pixel, position, length, method):
    """Matrices `[..., outputs, inputs]` that crop and resize one axis.

    Args:
        pixel: inputs `[..., inputs]`, counted from the start of the range.
        position: where outputs `[..., outputs]` lie among them.
        length: of the range, `[..., 1]`.
        method: see `crop_and_resize`.
    """
    pixel, position = tf.expand_dims(pixel, -2), tf.expand_dims(position, -1)
    length = tf.expand_dims(length, -1)
    if method == "bilinear":
        position = tf.clip_by_value(position, 0.0, length - 1.0)
        return tf.maximum(1.0 - tf.abs(pixel - position), 0.0)
    # TensorFlow reads the cubic kernel from a table of 1024 steps.
    whole = tf.floor(position)
    position = whole + tf.round((position - whole) * 1024.0) / 1024.0
    inside = (pixel >= 0.0) & (pixel <= length - 1.0)
    weights = tf.where(inside, _keys_cubic(tf.abs(pixel - position)), 0.0)
    return weights * (1.0 / tf.reduce_sum(weights, -1, keepdims=True))


def _keys_cubic(x):
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))


def rotate(
    images: tf.Tensor, angle: tf.Tensor, fill: str = "reflect"
) -> tf.Tensor:
    """Turns every image about its centre, with bilinear interpolation.

    Args:
        images: the images.
        angle: degrees, counter-clockwise.
        fill: what lies outside the image: "reflect" (the image mirrored at
            its outermost pixels) or "zero".
    """
    batch, height, width, channels = sizes(images)
    middle_y, middle_x = _middle(height), _middle(width)
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
            if fill == "zero":
                weight *= _within(row, height) * _within(column, width)
            index = _mirror(row, height) * width + _mirror(column, width)
            result += weight[..., None] * tf.gather(pixels, first + index)
    return tf.clip_by_value(result, 0.0, 1.0)


def _middle(length):
    return (tf.cast(length, tf.float32) - 1.0) / 2.0


def _neighbours(position):
    return tf.floor(position), tf.floor(position) + 1.0


def _tent(distance):
    return tf.maximum(1.0 - tf.abs(distance), 0.0)


def _within(index, length):
    last = tf.cast(length, tf.float32) - 1.0
    return tf.cast((index >= 0.0) & (index <= last), tf.float32)


def _mirror(index, length):
    """Indices into an endless row of images, every second one mirrored."""
    last = length - 1
    index = tf.cast(index, tf.int32) % tf.maximum(2 * last, 1)
    return last - tf.abs(last - index)


def sizes(images: tf.Tensor) -> tuple:
    """The four sizes, as integers where they are known."""
    dynamic = tf.shape(images)
    return tuple(
        dynamic[axis] if size is None else size
        for axis, size in enumerate(images.shape)
    )
