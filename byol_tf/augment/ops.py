"""Image operations for batches in which every image has its own parameters.

No randomness here, and nothing that XLA cannot compile. Unless said otherwise,
`images` is float32 `[batch, height, width, channels]` in [0, 1] with any
number of channels, a parameter is float32 `[batch]`, and the result is like
`images`. The colour operations are those of the official BYOL code.
"""

import math

import tensorflow as tf

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
_LUMA = (0.2989, 0.587, 0.114)
# For red, green and blue: see `_hue_saturation`.
_HEXAGON = ((3.0, 2.0, 4.0), (-1.0, 1.0, 1.0), (2.0, -1.0, -1.0))


# ---- geometry ---------------------------------------------------------


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
    _, rows, columns, _ = sizes(images)
    # Along rows with whole rows gathered, then the same along columns.
    images = _resample(images, _taps(top, height, rows, size[0], None, method))
    images = tf.transpose(images, [0, 2, 3, 1])  # [B, W, C, h]
    images = _resample(
        images, _taps(left, width, columns, size[1], flip, method)
    )
    return _clip(tf.transpose(images, [0, 3, 1, 2]))  # [B, h, w, C]


def _taps(start, length, inputs, outputs, flip, method):
    """What each place of a resized axis is made of.

    Returns:
        A list of pairs: an index into the axis of the whole image, int32
        `[batch, outputs]`, and its float32 weight of the same shape.
    """
    place = tf.range(outputs, dtype=tf.float32)
    if flip is not None:
        place = tf.where(flip[:, None], outputs - 1.0 - place, place)
    start, length = start[:, None], length[:, None]
    position = (place + 0.5) * (length / outputs) - 0.5  # in the box
    if method == "bilinear":
        position = tf.clip_by_value(position, 0.0, length - 1.0)
        offsets, kernel = (0, 1), _tent
    else:
        offsets, kernel = (-1, 0, 1, 2), _keys_cubic
    whole = tf.floor(position)
    fraction = position - whole
    if method == "bicubic":
        # TensorFlow reads the cubic kernel from a table of 1024 steps.
        fraction = tf.round(fraction * 1024.0) / 1024.0
    indices, weights = [], []
    for offset in offsets:
        index = whole + offset
        inside = (index >= 0.0) & (index <= length - 1.0)
        weights.append(tf.where(inside, kernel(abs(offset - fraction)), 0.0))
        index = tf.clip_by_value(index, 0.0, length - 1.0) + start
        indices.append(tf.cast(index, tf.int32))
    total = tf.add_n(weights)
    return [(i, w / total) for i, w in zip(indices, weights, strict=True)]


def _tent(x):
    return tf.maximum(1.0 - x, 0.0)


def _keys_cubic(x):
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))


def _resample(images, taps):
    """Weighted sum of slices along the second axis."""
    return tf.add_n(
        [_gather(images, i) * w[:, :, None, None] for i, w in taps]
    )


def _gather(images, index):
    """`images[b, index[b, j]]`, faster than with `batch_dims` under XLA."""
    batch, length, *rest = sizes(images)
    index += length * tf.range(batch)[:, None]
    return tf.gather(tf.reshape(images, [batch * length, *rest]), index)


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
    y = tf.range(height, dtype=tf.float32)[:, None] - _half(height)
    x = tf.range(width, dtype=tf.float32)[None, :] - _half(width)
    radians = angle[:, None, None] * (math.pi / 180.0)
    cos, sin = tf.cos(radians), tf.sin(radians)
    source_y = cos * y + sin * x + _half(height)  # [B, H, W]
    source_x = cos * x - sin * y + _half(width)
    top, left = tf.floor(source_y), tf.floor(source_x)
    flat = tf.reshape(images, [batch, height * width, channels])
    result = 0.0
    for row in (top, top + 1.0):
        for column in (left, left + 1.0):
            weight = tf.maximum(1.0 - tf.abs(source_y - row), 0.0)
            weight *= tf.maximum(1.0 - tf.abs(source_x - column), 0.0)
            if fill == "zero":
                weight *= _within(row, height) * _within(column, width)
            index = _mirror(row, height) * width + _mirror(column, width)
            index = tf.reshape(index, [batch, height * width])
            pixels = tf.gather(flat, index, batch_dims=1)
            pixels = tf.reshape(pixels, tf.shape(images))
            result += weight[..., None] * pixels
    return _clip(result)


def _half(length):
    return (tf.cast(length, tf.float32) - 1.0) / 2.0


def _within(index, length):
    last = tf.cast(length, tf.float32) - 1.0
    return tf.cast((index >= 0.0) & (index <= last), tf.float32)


def _mirror(index, length):
    """Indices of an endless row of images, every second one mirrored."""
    index, last = tf.cast(index, tf.int32), length - 1
    index = tf.math.floormod(index, tf.maximum(2 * last, 1))
    return tf.clip_by_value(last - tf.abs(last - index), 0, last)


# ---- colour -----------------------------------------------------------


def adjust_brightness(images: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
    """Adds `delta`."""
    return _pixels(_affine(_planes(images), 1.0, delta))


def adjust_contrast(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales the distance from the mean of the image's channel."""
    return _pixels(_affine(_planes(images), factor, 0.0))


def adjust_saturation(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales the saturation in HSV, at most to 1. RGB only."""
    return _pixels(_hue_saturation(_planes(images), 0.0, factor))


def adjust_hue(images: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
    """Adds `delta` turns to the hue in HSV. RGB only."""
    return _pixels(_hue_saturation(_planes(images), delta, 1.0))


def color_jitter(
    images: tf.Tensor,
    brightness: tf.Tensor,
    contrast: tf.Tensor,
    saturation: tf.Tensor | None,
    hue: tf.Tensor | None,
    order: tf.Tensor,
) -> tf.Tensor:
    """The four adjustments above, in an order of its own for every image.

    Hue and saturation commute. So an order says no more than which of
    brightness and contrast comes first, and whether hue and saturation come
    before, between or after the two. Three rounds, each of an affine map and
    then a pass through HSV, serve all 24 orders: nothing affine happens in
    the first, and an image has neutral parameters wherever it has nothing to
    do.

    Args:
        images: the images, RGB unless saturation and hue are None.
        brightness: `delta` of `adjust_brightness`.
        contrast: `factor` of `adjust_contrast`.
        saturation: `factor` of `adjust_saturation`, or None for none.
        hue: `delta` of `adjust_hue`, or None for none.
        order: int32 `[batch, 4]`, in each row a permutation of 0 brightness,
            1 contrast, 2 saturation, 3 hue: the first entry is done first.
    """
    place = [_place(order, operation) for operation in range(4)]

    def before(first, second):
        return tf.cast(place[first] < place[second], tf.int32)

    def affine_round(one, other):
        return 1 + before(other, one)

    def hsv_round(one):
        return before(BRIGHTNESS, one) + before(CONTRAST, one)

    def in_round(index, turn, value, neutral):
        return tf.where(turn == index, value, neutral)

    brightness_round = affine_round(BRIGHTNESS, CONTRAST)
    contrast_round = affine_round(CONTRAST, BRIGHTNESS)
    saturation_round = hsv_round(SATURATION)
    hue_round = hsv_round(HUE)

    def one_round(index, planes):
        planes = _affine(
            planes,
            in_round(index, contrast_round, contrast, 1.0),
            in_round(index, brightness_round, brightness, 0.0),
        )
        if saturation is not None and hue is not None:
            planes = _hue_saturation(
                planes,
                in_round(index, hue_round, hue, 0.0),
                in_round(index, saturation_round, saturation, 1.0),
            )
        return index + 1, planes

    # A loop, because XLA would fuse straight code into recomputing it all for
    # every mean: three times slower on a CPU.
    planes = tf.while_loop(
        lambda index, _: index < 3,
        one_round,
        (0, _planes(images)),
        maximum_iterations=3,
    )[1]
    return _pixels(planes)


def _place(order, operation):
    """When the operation's turn comes, int32 `[batch]`."""
    found = tf.cast(order == operation, tf.int32)
    return tf.reduce_sum(found * tf.range(4), axis=-1)


def _affine(planes, factor, delta):
    factor, delta = _per_image(factor), _per_image(delta)
    mean = tf.reduce_mean(planes, axis=(2, 3), keepdims=True)
    return _clip(planes * factor + (mean * (1.0 - factor) + delta))


def _hue_saturation(planes, delta, factor):
    """HSV and back with h + delta and s * factor.

    In units of a sixth of a turn, with value v and chroma c, red is
    v - c * clip(2 - |h - 3|, 0, 1), green v - c * clip(|h - 2| - 1, 0, 1) and
    blue v - c * clip(|h - 4| - 1, 0, 1).
    """
    delta, factor = _per_image(delta), _per_image(factor)
    red, green, blue = (planes[:, i : i + 1] for i in range(3))
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    scale = 1.0 / tf.where(chroma > 0.0, chroma, 1.0)
    hue = tf.where(
        value == red,
        (green - blue) * scale,
        tf.where(
            value == green,
            (blue - red) * scale + 2.0,
            (red - green) * scale + 4.0,
        ),
    )
    hue += 6.0 * delta
    hue -= 6.0 * tf.floor(hue * (1.0 / 6.0))
    chroma = tf.clip_by_value(chroma * factor, 0.0, value)
    opposite, sign, offset = tf.unstack(tf.reshape(_HEXAGON, [3, 3, 1, 1]))
    distance = tf.abs(hue - opposite) * sign + offset
    return value - chroma * _clip(distance)


def to_grayscale(images: tf.Tensor) -> tf.Tensor:
    """Luminance in all three channels. RGB only."""
    planes = _planes(images)
    red, green, blue = (planes[:, i : i + 1] for i in range(3))
    gray = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return _pixels(tf.broadcast_to(gray, tf.shape(planes)))


def solarize(
    images: tf.Tensor, threshold: tf.Tensor | float = 0.5
) -> tf.Tensor:
    """Inverts the pixels that are not below the threshold."""
    threshold = _per_image(threshold)
    return tf.where(images < threshold, images, 1.0 - images)


# ---- blur -------------------------------------------------------------


def gaussian_blur(
    images: tf.Tensor, sigma: tf.Tensor, kernel_size: float
) -> tf.Tensor:
    """Gaussian blur, dark at the border as in the official code.

    The kernel sums to 1 and what lies outside the image counts as zero.

    Args:
        images: the images.
        sigma: standard deviation in pixels; 0 leaves the image as it is.
        kernel_size: the kernel reaches `int(kernel_size / 2)` pixels to
            either side.
    """
    _, height, width, _ = sizes(images)
    radius = int(kernel_size / 2)
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    sigma = tf.maximum(sigma, 1e-3)[:, None]
    kernel = tf.exp(-tf.square(offsets) / (2.0 * tf.square(sigma)))
    kernel /= tf.reduce_sum(kernel, axis=-1, keepdims=True)  # [B, taps]
    taps = [_per_image(weight) for weight in tf.unstack(kernel, axis=1)]
    around = [radius, radius]
    planes = tf.pad(_planes(images), [[0, 0], [0, 0], around, around])
    planes = tf.add_n(
        [w * planes[:, :, i : i + height] for i, w in enumerate(taps)]
    )
    planes = tf.add_n(
        [w * planes[:, :, :, i : i + width] for i, w in enumerate(taps)]
    )
    return _pixels(planes)


# ---- helpers ----------------------------------------------------------


def _per_image(parameter):
    parameter = tf.convert_to_tensor(parameter, tf.float32)
    if parameter.shape.rank:
        return parameter[:, None, None, None]
    return parameter


def _planes(images):
    # Vector instructions want many neighbours, and three channels are few.
    # XLA cancels the transposition against the previous operation's.
    return tf.transpose(images, [0, 3, 1, 2])


def _pixels(planes):
    return tf.transpose(planes, [0, 2, 3, 1])


def _clip(images):
    return tf.clip_by_value(images, 0.0, 1.0)


def sizes(images: tf.Tensor):
    """The four sizes, as integers where they are known."""
    images = tf.convert_to_tensor(images)
    dynamic = tf.shape(images)
    return tuple(
        dynamic[axis] if size is None else size
        for axis, size in enumerate(images.shape)
    )
