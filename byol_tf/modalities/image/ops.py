"""Image operations for batches, with parameters of their own for each image.

They use no randomness, and compile under XLA. Unless stated otherwise, `images`
is float32 `[batch, height, width, channels]` in [0, 1] with any number of
channels, a parameter is float32 `[batch]`, and the result has the form of
`images`. The colour operations are those of the official BYOL code.
"""

from collections.abc import Callable

import tensorflow as tf

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
_LUMA = (0.2989, 0.587, 0.114)
# For red, green and blue: see `_hue_saturation`.
_HEXAGON = ((3.0, 2.0, 4.0), (-1.0, 1.0, 1.0), (2.0, -1.0, -1.0))


# ---- colour -----------------------------------------------------------


def adjust_brightness(images: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
    """Adds `delta` to all pixels."""
    return _pixels(_affine(_planes(images), 1.0, delta))


def adjust_contrast(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales the distance of pixels from the mean of their channel."""
    return _pixels(_affine(_planes(images), factor, 0.0))


def adjust_saturation(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales the saturation in HSV, up to 1. Only for RGB."""
    return _pixels(_hue_saturation(_planes(images), 0.0, factor))


def adjust_hue(images: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
    """Adds `delta` turns to the hue in HSV. Only for RGB."""
    return _pixels(_hue_saturation(_planes(images), delta, 1.0))


def color_jitter(
    images: tf.Tensor,
    brightness: tf.Tensor,
    contrast: tf.Tensor,
    saturation: tf.Tensor | None,
    hue: tf.Tensor | None,
    order: tf.Tensor,
) -> tf.Tensor:
    """Applies the four adjustments above, in an order of its own per image.

    Hue and saturation commute. So an order only says which of brightness and
    contrast comes first, and whether hue and saturation come before, between or
    after the two. HSV, affine, HSV, affine, HSV covers all 24 orders, with
    neutral parameters in the passes that an image does not use.

    Args:
        images: as above, RGB unless saturation and hue are None.
        brightness: `delta` of `adjust_brightness`.
        contrast: `factor` of `adjust_contrast`.
        saturation: `factor` of `adjust_saturation`, or None.
        hue: `delta` of `adjust_hue`, or None.
        order: int32 `[batch, 4]`, in each row a permutation of 0 brightness, 1
            contrast, 2 saturation, 3 hue; the first entry is applied first.
    """
    positions = [_position(order, operation) for operation in range(4)]

    def after(one, *others):
        """Returns how many of the others come before this one, per image."""
        return sum(
            tf.cast(positions[o] < positions[one], tf.int32) for o in others
        )

    # Numbers of the passes; affine ones share theirs with the HSV after them.
    turns = {
        BRIGHTNESS: 1 + after(BRIGHTNESS, CONTRAST),
        CONTRAST: 1 + after(CONTRAST, BRIGHTNESS),
        SATURATION: after(SATURATION, BRIGHTNESS, CONTRAST),
        HUE: after(HUE, BRIGHTNESS, CONTRAST),
    }

    def in_pass(turn, operation, value, neutral):
        if value is None:
            return neutral
        return tf.where(turns[operation] == turn, value, neutral)

    def hsv(turn, planes):
        if saturation is None and hue is None:
            return planes
        delta = in_pass(turn, HUE, hue, 0.0)
        factor = in_pass(turn, SATURATION, saturation, 1.0)
        return _if_any(
            tf.not_equal(delta, 0.0) | tf.not_equal(factor, 1.0),
            lambda: _hue_saturation(planes, delta, factor),
            planes,
        )

    def affine(turn, planes):
        return _affine(
            planes,
            in_pass(turn, CONTRAST, contrast, 1.0),
            in_pass(turn, BRIGHTNESS, brightness, 0.0),
        )

    # A loop, because XLA would fuse unrolled code so that it computes
    # everything again for every mean: three times slower on a CPU.
    _, planes = tf.while_loop(
        lambda turn, _: turn < 3,
        lambda turn, planes: (turn + 1, hsv(turn, affine(turn, planes))),
        (1, hsv(0, _planes(images))),
    )
    return _pixels(planes)


def _position(order, operation):
    """Returns the position of an operation in each order, int32 `[batch]`."""
    is_operation = tf.cast(order == operation, tf.int32)
    return tf.reduce_sum(is_operation * tf.range(4), axis=-1)


def _affine(planes, factor, delta):
    factor, delta = _per_image(factor), _per_image(delta)
    mean = tf.reduce_mean(planes, axis=(2, 3), keepdims=True)
    return _clip(planes * factor + (mean * (1.0 - factor) + delta))


def _hue_saturation(planes, delta, factor):
    """Converts to HSV and back with h + delta and s * factor.

    In units of a sixth of a turn, with value v and chroma c, red is v - c *
    clip(2 - |h - 3|, 0, 1), green v - c * clip(|h - 2| - 1, 0, 1) and blue v -
    c * clip(|h - 4| - 1, 0, 1).
    """
    delta, factor = _per_image(delta), _per_image(factor)
    red, green, blue = (planes[:, i : i + 1] for i in range(3))
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    red_most, green_most = value == red, value == green
    hue = tf.where(
        red_most,
        green - blue,
        tf.where(green_most, blue - red, red - green),
    )
    hue /= tf.maximum(chroma, 1e-20)  # gray has chroma 0 and any hue
    hue += tf.where(red_most, 0.0, tf.where(green_most, 2.0, 4.0))
    hue += 6.0 * delta
    hue -= 6.0 * tf.floor(hue * (1.0 / 6.0))
    chroma = tf.clip_by_value(chroma * factor, 0.0, value)
    opposite, sign, offset = tf.unstack(tf.reshape(_HEXAGON, [3, 3, 1, 1]))
    distance = tf.abs(hue - opposite) * sign + offset
    return value - chroma * _clip(distance)


def to_grayscale(images: tf.Tensor) -> tf.Tensor:
    """Replaces all three channels by the luminance. Only for RGB."""
    planes = _planes(images)
    red, green, blue = (planes[:, i : i + 1] for i in range(3))
    gray = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return _pixels(tf.broadcast_to(gray, tf.shape(planes)))


def solarize(
    images: tf.Tensor, threshold: tf.Tensor | float = 0.5
) -> tf.Tensor:
    """Inverts pixels at or above the threshold."""
    threshold = _per_image(threshold)
    return tf.where(images < threshold, images, 1.0 - images)


# ---- turns ------------------------------------------------------------


def turn(images: tf.Tensor, quarters: tf.Tensor) -> tf.Tensor:
    """Turns square images by quarter turns, counter-clockwise.

    Args:
        images: `[batch, side, side, channels]`.
        quarters: int32 `[batch]`, 0 to 3.
    """

    def where(condition, changed, images):
        return tf.where(condition[:, None, None, None], changed, images)

    transposed = tf.transpose(images, [0, 2, 1, 3])
    images = where(quarters % 2 == 1, transposed, images)
    down = (quarters == 1) | (quarters == 2)
    images = where(down, tf.reverse(images, [1]), images)
    return where(quarters > 1, tf.reverse(images, [2]), images)


# ---- blur -------------------------------------------------------------


def gaussian_blur(
    images: tf.Tensor, sigma: tf.Tensor, kernel_size: float
) -> tf.Tensor:
    """Blurs with a Gaussian; the border gets dark as in the official code.

    The kernel sums to 1, and pixels outside the image count as zero.

    Args:
        images: as above.
        sigma: standard deviation in pixels; 0: unchanged.
        kernel_size: the kernel reaches `int(kernel_size / 2)` pixels to either
            side.
    """
    radius = int(kernel_size / 2)
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    sigma = tf.maximum(sigma, 1e-3)[:, None]
    kernel = tf.exp(-tf.square(offsets) / (2.0 * tf.square(sigma)))
    kernel /= tf.reduce_sum(kernel, axis=-1, keepdims=True)  # [B, taps]
    taps = [_per_image(weight) for weight in tf.unstack(kernel, axis=1)]
    border = [radius, radius]
    planes = _planes(images)
    planes = apart(
        lambda: tf.pad(planes, [[0, 0], [0, 0], border, border]), sigma
    )
    # Offsets from one border to the other, counted from both ends.
    slices = [slice(i, i - 2 * radius or None) for i in range(len(taps))]
    pairs = list(zip(taps, slices, strict=True))
    planes = tf.add_n([w * planes[:, :, s] for w, s in pairs])
    planes = tf.add_n([w * planes[..., s] for w, s in pairs])
    return _pixels(planes)


# ---- choice -----------------------------------------------------------


def apply_where(
    condition: tf.Tensor,
    operation: Callable[[tf.Tensor], tf.Tensor],
    images: tf.Tensor,
) -> tf.Tensor:
    """Applies an operation to some images, and leaves the others unchanged.

    If the condition holds for no image, the operation is not computed.

    Args:
        condition: bool `[batch]`.
        operation: function of images that returns images of the same shape.
        images: as above.
    """

    # Planes are passed, so that both branches have the same order of axes.
    def change_some(planes):
        changed = _planes(operation(_pixels(planes)))
        return tf.where(condition[:, None, None, None], changed, planes)

    planes = _planes(images)
    return _pixels(_if_any(condition, lambda: change_some(planes), planes))


def _if_any(condition, changed, planes):
    """Returns `changed`'s result if the condition holds for any image."""
    return tf.cond(tf.reduce_any(condition), changed, lambda: planes)


# ---- helpers ----------------------------------------------------------


def apart(compute: Callable[[], tf.Tensor], positive: tf.Tensor) -> tf.Tensor:
    """Computes in a branch that is always taken, which XLA cannot know.

    Otherwise XLA would compute gathered, turned or padded pixels again for each
    use, which can take three times as long on a CPU.

    Args:
        compute: the computation.
        positive: numbers that are all above 0.
    """
    return tf.cond(
        tf.reduce_all(positive > 0.0),
        compute,
        lambda: tf.zeros_like(compute()),
    )


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
