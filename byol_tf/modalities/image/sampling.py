"""Stateless random draws that are the same whether compiled or not.

Drawing from a seed (`seeds.fractions`) is separate from using the numbers,
because many small draws are slow to compile: `View` draws all numbers of a
batch at once.
"""

import math

import numpy as np
import tensorflow as tf

from byol_tf.seeds import fractions

_ALG = "philox"
# Number of random numbers for a view of one image.
_DRAWS = {
    **{"box": 4, "flip": 1, "angle": 1, "jitter": 1, "strengths": 4},
    **{"order": 4, "grayscale": 1, "blur": 1, "sigma": 1, "solarize": 1},
}
# Drawn with a seed of their own, so that those above stay as they were.
_LATER_DRAWS = {"turn": 1, "quarters": 1, "flip_vertical": 1}


def split(seed: tf.Tensor, num: int) -> tf.Tensor:
    """Makes `num` independent seeds, int32 `[num, 2]`, from one of `[2]`."""
    return tf.random.split(seed, num, alg=_ALG)


def random_numbers(count: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws all numbers that a view may need, float32 `[count, n]` in [0, 1).

    Unused ones are drawn as well: disabling an operation does not change the
    draws of the others.
    """
    parts = zip(
        (_DRAWS, _LATER_DRAWS), (seed, *tf.unstack(split(seed, 1))), strict=True
    )
    draws = [
        fractions(part_seed, [count, sum(sizes.values())])
        for sizes, part_seed in parts
    ]
    return tf.concat(draws, axis=1)


def by_name(numbers):
    """Returns `random_numbers` by name, each `[batch]` or `[batch, n]`."""
    draws = _DRAWS | _LATER_DRAWS
    parts = tf.split(numbers, list(draws.values()), axis=1)
    parts = [p[:, 0] if p.shape[1] == 1 else p for p in parts]
    return dict(zip(draws, parts, strict=True))


def between(fraction: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Scales draws in [0, 1) to [low, high), up to float32 rounding."""
    return tf.cast(_between64(fraction, low, high), tf.float32)


def ranking(fraction: tf.Tensor) -> tf.Tensor:
    """Makes permutations, int32 `[batch, n]`, from draws `[batch, n]`."""
    return tf.argsort(fraction, axis=-1, stable=True)


def boxes(
    fraction: tf.Tensor,
    height: tf.Tensor | int,
    width: tf.Tensor | int,
    area: tuple[float, float] = (0.08, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Draws random crops of whole pixels, one per image.

    The area is uniform and the aspect ratio log-uniform; a side longer than the
    image is cut to it; the position is uniform. BYOL, appendix B, as in the
    official code.

    Args:
        fraction: draws in [0, 1), float32 `[batch, 4]`.
        height: height of the images in pixels.
        width: width of the images in pixels.
        area: range of the crop's share of the image, in (0, 1].
        aspect: range of width / height, positive.

    Returns:
        `(top, left, height, width)`, each float32 `[batch]` of whole numbers.
    """
    # In float64, because a last bit that depends on the compiler would decide,
    # once in some ten thousand draws, about a whole pixel.
    rows, columns = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    pixels = _between64(fraction[:, 0], *area) * rows * columns
    low, high = (math.log(bound) for bound in aspect)
    ratio = tf.exp(_between64(fraction[:, 1], low, high))
    box_width = _side(tf.sqrt(pixels * ratio), columns)
    box_height = _side(tf.sqrt(pixels / ratio), rows)
    position = tf.cast(fraction, tf.float64)
    top = tf.floor(position[:, 2] * (rows - box_height + 1.0))
    left = tf.floor(position[:, 3] * (columns - box_width + 1.0))
    box = (top, left, box_height, box_width)
    return tuple(tf.cast(side, tf.float32) for side in box)


def box(
    fraction: np.ndarray,
    height: int,
    width: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> tuple[int, int, int, int]:
    """Draws one of `boxes` without TensorFlow, for a single image.

    Args:
        fraction: float32 `[4]`; the others as in `boxes`.

    Returns:
        `(top, left, height, width)` in pixels.
    """
    # Python's own numbers: NumPy's scalars would take a tenth of a cut.
    share, log_ratio, down, across = map(float, fraction)
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
