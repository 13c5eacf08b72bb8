"""Stateless random draws that are the same compiled or not.

What depends on a seed, `seeds.fractions`, is kept apart from what a draw
means, because many small draws are slow to compile: `View` makes all of a
batch in one.
"""

import math

import numpy as np
import tensorflow as tf

from byol_tf.seeds import fractions

_ALG = "philox"
# How many random numbers a view of one image takes.
_DRAWS = {
    **{"box": 4, "flip": 1, "angle": 1, "jitter": 1, "strengths": 4},
    **{"order": 4, "grayscale": 1, "blur": 1, "sigma": 1, "solarize": 1},
}
# Of a seed of their own: those above are as in earlier releases.
_LATER = {"turn": 1, "quarters": 1, "flip_vertical": 1}


def split(seed: tf.Tensor, num: int) -> tf.Tensor:
    """`num` independent seeds, int32 `[num, 2]`, made from one of `[2]`."""
    return tf.random.split(seed, num, alg=_ALG)


def random_numbers(count: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """All that a view of each image can need, float32 `[count, n]` in [0, 1).

    Needed or not: switching an operation off leaves the draws of the others
    as they are.
    """
    parts = zip(
        (_DRAWS, _LATER), (seed, *tf.unstack(split(seed, 1))), strict=True
    )
    drawn = [fractions(own, [count, sum(d.values())]) for d, own in parts]
    return tf.concat(drawn, axis=1)


def by_name(numbers):
    """Draws of `random_numbers` by name, each `[batch]` or `[batch, n]`."""
    draws = _DRAWS | _LATER
    parts = tf.split(numbers, list(draws.values()), axis=1)
    parts = [p[:, 0] if p.shape[1] == 1 else p for p in parts]
    return dict(zip(draws, parts, strict=True))


def between(fraction: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Moves draws in [0, 1) to [low, high), up to float32 rounding."""
    return tf.cast(_between64(fraction, low, high), tf.float32)


def ranking(fraction: tf.Tensor) -> tf.Tensor:
    """Permutations, int32 `[batch, n]`, from draws `[batch, n]`."""
    return tf.argsort(fraction, axis=-1, stable=True)


def boxes(
    fraction: tf.Tensor,
    height: tf.Tensor | int,
    width: tf.Tensor | int,
    area: tuple[float, float] = (0.08, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Random crops of whole pixels, one per image.

    The area is uniform and the aspect ratio log-uniform; a side longer than
    the image's is cut to it; the position is uniform over all that fit.
    BYOL, appendix B, as in the official code.

    Args:
        fraction: draws in [0, 1), float32 `[batch, 4]`.
        height: pixels of the images.
        width: pixels of the images.
        area: range of the crop's share of the image, in (0, 1].
        aspect: range of width by height, positive.

    Returns:
        `(top, left, height, width)`, each float32 `[batch]` of whole numbers.
    """
    # In float64, because a last bit that depends on the compiler would here
    # decide, once in some ten thousand draws, about a whole pixel.
    rows, columns = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    pixels = _between64(fraction[:, 0], *area) * rows * columns
    low, high = (math.log(bound) for bound in aspect)
    ratio = tf.exp(_between64(fraction[:, 1], low, high))
    box_width = _side(tf.sqrt(pixels * ratio), columns)
    box_height = _side(tf.sqrt(pixels / ratio), rows)
    place = tf.cast(fraction, tf.float64)
    top = tf.floor(place[:, 2] * (rows - box_height + 1.0))
    left = tf.floor(place[:, 3] * (columns - box_width + 1.0))
    box = (top, left, box_height, box_width)
    return tuple(tf.cast(side, tf.float32) for side in box)


def box(
    fraction: np.ndarray,
    height: int,
    width: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> tuple[int, int, int, int]:
    """One of `boxes` without TensorFlow, for an image that is cut by itself.

    Args:
        fraction: float32 `[4]`; the others as in `boxes`.

    Returns:
        `(top, left, height, width)` in pixels.
    """
    share, log_ratio, down, across = np.asarray(fraction, np.float64)
    pixels = _scaled(share, *area) * height * width
    ratio = math.exp(_scaled(log_ratio, *map(math.log, aspect)))
    rows = min(max(round(math.sqrt(pixels / ratio)), 1), height)
    columns = min(max(round(math.sqrt(pixels * ratio)), 1), width)
    top, left = down * (height - rows + 1), across * (width - columns + 1)
    return int(top), int(left), rows, columns


def _side(length, limit):
    return tf.clip_by_value(tf.round(length), 1.0, limit)


def _between64(fraction, low, high):
    return _scaled(tf.cast(fraction, tf.float64), low, high)


def _scaled(fraction, low, high):
    # From float32 bounds and a 24-bit fraction, float64 computes this without
    # rounding: whether a compiler fuses product and sum does not matter.
    low, high = (float(np.float32(bound)) for bound in (low, high))
    return low + (high - low) * fraction
