"""Stateless random draws that are the same compiled or not.

TensorFlow's own stateless floats differ between XLA and the other ways to run
an operation; its random bits do not. So every draw here starts from uint32
bits.
"""

import tensorflow as tf

_ALG = "philox"


def split(seed: tf.Tensor, num: int) -> tf.Tensor:
    """`num` independent seeds, int32 `[num, 2]`, made from one of `[2]`."""
    return tf.random.split(seed, num, alg=_ALG)


def fold_in(seed: tf.Tensor, data: tf.Tensor | int) -> tf.Tensor:
    """Another seed, int32 `[2]`, that also depends on the integer `data`."""
    return tf.random.fold_in(seed, data, alg=_ALG)


def uniform(
    seed: tf.Tensor, shape, low: float = 0.0, high: float = 1.0
) -> tf.Tensor:
    """Uniform draws in [low, high).

    Args:
        seed: int32 `[2]`.
        shape: of the result, integers or an int32 tensor.
        low: smallest value.
        high: the values stay below this, up to float32 rounding.

    Returns:
        float32 tensor of the given shape.
    """
    return tf.cast(_uniform64(seed, shape, low, high), tf.float32)


def bernoulli(seed: tf.Tensor, shape, probability: float) -> tf.Tensor:
    """True with the given probability; always at 1, never at 0."""
    return _fractions(seed, shape) < probability


def permutations(seed: tf.Tensor, batch: tf.Tensor | int, n: int) -> tf.Tensor:
    """A uniformly random permutation of 0 … n-1 per row, int32 `[batch, n]`."""
    bits = tf.bitwise.right_shift(_bits(seed, [batch, n]), _uint32(1))
    return tf.argsort(tf.cast(bits, tf.int32), axis=-1, stable=True)


def crop_boxes(
    seed: tf.Tensor,
    batch: tf.Tensor | int,
    height: tf.Tensor | int,
    width: tf.Tensor | int,
    area: tuple[float, float] = (0.08, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Random crops of whole pixels, one per image.

    The area is uniform, the aspect ratio (width by height) log-uniform; a side
    longer than the image's is cut to it; the position is uniform over all
    that fit. BYOL, appendix B.

    Args:
        seed: int32 `[2]`.
        batch: number of boxes.
        height: pixels of the image.
        width: pixels of the image.
        area: range of the crop's share of the image, in (0, 1].
        aspect: range of width by height, positive.

    Returns:
        `(top, left, height, width)`, each float32 `[batch]` of whole numbers.
    """
    seeds = split(seed, 4)
    # In float64, because a last bit that depends on the compiler would here
    # decide, once in some ten thousand draws, about a whole pixel.
    image_height = tf.cast(height, tf.float64)
    image_width = tf.cast(width, tf.float64)
    pixels = _uniform64(seeds[0], [batch], *area) * image_height * image_width
    low, high = (tf.math.log(tf.constant(a, tf.float64)) for a in aspect)
    ratio = tf.exp(_uniform64(seeds[1], [batch], low, high))
    crop_width = _side(tf.sqrt(pixels * ratio), image_width)
    crop_height = _side(tf.sqrt(pixels / ratio), image_height)
    top = _offset(seeds[2], image_height - crop_height)
    left = _offset(seeds[3], image_width - crop_width)
    box = (top, left, crop_height, crop_width)
    return tuple(tf.cast(side, tf.float32) for side in box)


def _side(length, limit):
    return tf.clip_by_value(tf.round(length), tf.ones_like(limit), limit)


def _offset(seed, largest):
    """Uniform over the whole numbers 0 … largest."""
    fraction = tf.cast(_fractions(seed, tf.shape(largest)), tf.float64)
    return tf.floor(fraction * (largest + 1.0))


def _uniform64(seed, shape, low, high):
    # float64 holds the product of a 24-bit fraction and a float32 range
    # exactly, so that it does not matter whether a compiler fuses the sum.
    fraction = tf.cast(_fractions(seed, shape), tf.float64)
    low, high = tf.cast(low, tf.float64), tf.cast(high, tf.float64)
    return low + (high - low) * fraction


def _fractions(seed, shape):
    """float32 multiples of 2^-24 in [0, 1)."""
    bits = tf.bitwise.right_shift(_bits(seed, shape), _uint32(8))
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24


def _bits(seed, shape):
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg=_ALG
    )


def _uint32(value):
    return tf.constant(value, tf.uint32)
