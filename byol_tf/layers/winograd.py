"""3x3 convolutions with a quarter of the multiplications.

Winograd's method: a tile of 4x4 outputs needs 6x6 inputs, and 36 products of
transformed inputs and kernels instead of 144. The transforms are those of Toom
and Cook: values of polynomials at some points, and back. With the usual points
0, 1, -1, 2, -2 outputs would lose a digit. With these, rounding errors are
twice those of the library, and four times for kernel gradients.

Reference: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural
Networks; Barabasz et al. 2020 for the points.
"""

import math

import numpy as np
import tensorflow as tf

_TILE, _TAPS = 4, 3
_SMALLEST, _LARGEST = 3, 16  # sides in pixels
# If tiles fit; more if they reach beyond the map. Gradients gain more than
# outputs.
_CHANNELS = {"training": 128, "inference": 256}
MANY = 16  # images at inference that amortise the kernel's transform
_POINTS = (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2), -math.sqrt(2))
_VALUES = len(_POINTS) + 1  # the last one at infinity


def pays(images: tf.Tensor, kernel: tf.Tensor, training: bool) -> bool:
    """Returns whether `convolve` is faster on a CPU (docs/performance.md).

    The transforms take as long for few output channels as for many, and
    bfloat16 has too few digits for them.

    Args:
        images: as for `convolve`.
        kernel: as for `convolve`.
        training: whether gradients follow; without them it is faster from
            `MANY` images on.
    """
    height, width = images.shape[1:3]
    if (
        images.dtype != tf.float32
        or kernel.shape[:2] != (_TAPS, _TAPS)
        or not _SMALLEST <= (height or 0) <= _LARGEST
        or not _SMALLEST <= (width or 0) <= _LARGEST
    ):
        return False
    channels = _CHANNELS["training" if training else "inference"]
    covered = _TILE**2 * _tiles(height) * _tiles(width)
    return min(kernel.shape[2:]) * height * width >= channels * covered


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Computes `tf.nn.conv2d(images, kernel, 1, "SAME")` for 3x3 kernels.

    Args:
        images: float `[batch, height, width, channels]`, static except for the
            batch.
        kernel: float `[3, 3, channels, filters]`.

    Returns:
        float `[batch, height, width, filters]`.
    """
    _, height, width, channels = images.shape
    filters = kernel.shape[-1]
    down, across = _tiles(height), _tiles(width)
    # a and b count values, p and q tiles.
    x = tf.transpose(images, [1, 2, 0, 3])
    x = _product(_input_matrix(height), x)  # (a p), (width, batch, channels)
    x = tf.reshape(x, [_VALUES * down, width, -1])
    x = tf.matmul(_input_matrix(width), x)  # (a p), (b q), (batch, channels)
    x = tf.reshape(x, [_VALUES, down, _VALUES, -1])
    x = tf.transpose(x, [0, 2, 1, 3])  # a, b, p, (q, batch, channels)
    x = tf.reshape(x, [_VALUES**2, -1, channels])
    x = tf.matmul(x, _kernel_values(kernel))  # (a b), (p, q, batch), filters
    x = tf.reshape(x, [_VALUES, _VALUES, down, -1])
    x = tf.transpose(x, [0, 2, 1, 3])  # a, p, b, (q, batch, filters)
    x = tf.reshape(x, [_VALUES * down, _VALUES * across, -1])
    x = tf.matmul(_output_matrix(width), x)  # (a p), width, (batch, filters)
    x = _product(_output_matrix(height), tf.reshape(x, [_VALUES * down, -1]))
    x = tf.reshape(x, [height, width, -1, filters])
    return tf.transpose(x, [2, 0, 1, 3])


def _product(matrix, x):
    """Multiplies the matrix by the first axis of a tensor."""
    return tf.matmul(matrix, tf.reshape(x, [matrix.shape[1], -1]))


def _kernel_values(kernel):
    """Returns values of the kernels, `[values ** 2, channels, filters]`."""
    values = np.float32(np.kron(_values(_TAPS), _values(_TAPS)))
    return tf.reshape(_product(values, kernel), [-1, *kernel.shape[2:]])


def _tiles(length):
    return -(-length // _TILE)


def _input_matrix(length):
    """Returns the matrix from pixels of an axis to values of tiles.

    A tile begins one pixel before its outputs; values outside the map are zero.
    """
    # Of tile inputs d and taps g the outputs are A^T (G g * B^T d) for
    # A = values(4), G = values(3), and B the inverse of values(6).
    values = np.linalg.inv(_values(_VALUES)).T
    tiles = _tiles(length)
    matrix = np.zeros([_VALUES, tiles, tiles * _TILE + 2])
    for tile in range(tiles):
        matrix[:, tile, tile * _TILE :][:, :_VALUES] = values
    return np.float32(matrix[..., 1 : length + 1].reshape(-1, length))


def _output_matrix(length):
    """Returns the matrix from values of tiles to the pixels of an axis."""
    tiles = _tiles(length)
    matrix = np.einsum("av,st->savt", _values(_TILE).T, np.eye(tiles))
    return np.float32(matrix.reshape(tiles * _TILE, -1)[:length])


def _values(count):
    """Returns the matrix from `count` coefficients to a polynomial's values."""
    powers = np.vander(_POINTS, count, increasing=True)
    return np.vstack([powers, np.eye(count)[-1]])
