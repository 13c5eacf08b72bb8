"""A convolution that trains fast on small feature maps."""

import math

import keras
import numpy as np
import tensorflow as tf

from byol_tf.layers import winograd

# Up to this side of the output, computing the kernel gradient as a convolution
# is faster on a CPU; beyond it, and for 1x1 kernels, the library's own is (see
# docs/log/speed.md).
SMALL_MAP = {"float32": 3, "bfloat16": 8}
# Up to this side most taps of a 3x3 kernel hit padding, so a dense matmul with
# the other taps is faster.
TINY_MAP = 2
# On some CPUs, TensorFlow 2.21 writes past the end of a buffer in the kernel
# gradient of a strided 1x1 convolution, on maps of about 50x50 pixels or more
# with fewer channels than this. There the pixels are sliced first; with more
# channels that would be slower, and the bug does not occur.
FEW_CHANNELS = 16


@keras.saving.register_keras_serializable("byol_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, square, SAME, without bias, faster to train.

    On a CPU it computes some layers in another way; results differ only by
    rounding:

    * Outputs of up to `SMALL_MAP` pixels per side: the gradient of the kernel
      is a convolution of the inputs by the gradient of the outputs, with batch
      and channels swapped. Computed as such it is faster than the library's
      op, in bfloat16 up to four times.
    * Training on inputs of up to `TINY_MAP` pixels per side: one matrix
      product.
    * 3x3 kernels with many channels in float32: a quarter of the
      multiplications (`winograd`); at inference only for batches of a known
      size of `winograd.MANY` or more.

    The class has the name of Keras's layer because files of weights name layers
    by their class.

    Args:
        filters: number of output channels.
        kernel_size: side of the kernel in pixels.
        strides: stride in both directions.
        kernel_initializer: as of `keras.layers.Conv2D`.
        **kwargs: arguments of `keras.layers.Layer`: `name`, `dtype`,
            `trainable`.

    Input: float `[batch, height, width, channels]`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        *,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=kernel_initializer,
            **kwargs,
        )

    def call(self, inputs, training=False):
        kernel = tf.cast(self.kernel, inputs.dtype)
        stride = self.strides[0]
        if self.kernel_size == (1, 1) and inputs.shape[-1] < FEW_CHANNELS:
            inputs, stride = inputs[:, ::stride, ::stride], 1
        side = max(side or np.inf for side in inputs.shape[1:3])
        if _accelerated():
            return tf.nn.conv2d(inputs, kernel, stride, "SAME")
        many = training or (inputs.shape[0] or 0) >= winograd.MANY
        if many and stride == 1 and winograd.pays(inputs, kernel, training):
            return winograd.convolve(inputs, kernel)
        max_side = SMALL_MAP.get(inputs.dtype.name, 0) * stride
        if side > max_side or max(self.kernel_size) == 1:
            return tf.nn.conv2d(inputs, kernel, stride, "SAME")
        # Spread taps pay only where gradients flow, and a frozen graph would
        # hold them all.
        if training and side <= TINY_MAP < max(self.kernel_size):
            return _multiply(inputs, kernel, stride)
        return _convolve(inputs, kernel, stride)

    def get_config(self):
        config = super().get_config()
        keys = ("name", "trainable", "dtype", "filters", "kernel_initializer")
        return {
            **{key: config[key] for key in keys},
            "kernel_size": self.kernel_size[0],
            "strides": self.strides[0],
        }


def _accelerated():
    return any(map(tf.config.list_physical_devices, ("GPU", "TPU")))


def _convolve(images, kernel, stride):
    """Computes `tf.nn.conv2d` (SAME) with another gradient of the kernel."""

    @tf.custom_gradient
    def convolve(images, kernel):
        def gradient(outputs):
            return (
                tf.nn.conv2d_transpose(
                    outputs, kernel, tf.shape(images), stride, "SAME"
                ),
                _kernel_gradient(images, outputs, kernel.shape[:2], stride),
            )

        return tf.nn.conv2d(images, kernel, stride, "SAME"), gradient

    return convolve(images, kernel)


def _kernel_gradient(images, outputs, size, stride):
    """Computes the kernel's gradient: images convolved by output gradients.

    A tap of the kernel meets pixels that are `stride` apart, hence the
    dilation; the batch takes the role of the channels.
    """
    padding = [
        _same_padding(*sides, stride)
        for sides in zip(images.shape[1:3], size, strict=True)
    ]
    taps = tf.nn.conv2d(
        tf.transpose(images, [3, 1, 2, 0]),
        tf.transpose(outputs, [1, 2, 0, 3]),
        strides=1,
        padding=[[0, 0], *padding, [0, 0]],
        dilations=stride,
    )
    return tf.transpose(taps[:, : size[0], : size[1]], [1, 2, 0, 3])


def _multiply(images, kernel, stride):
    """Computes `tf.nn.conv2d` (SAME) as one matrix product.

    For every output pixel, the matrix holds the tap that each input pixel
    meets, or zeros.
    """
    (*sides, channels), size = images.shape[1:], kernel.shape[0]
    outputs = [-(-length // stride) for length in sides]
    incidence = np.einsum(
        "aix,bjy->abijxy",
        *(_taps(length, size, stride) for length in sides),
    )
    entries = tf.matmul(
        tf.constant(incidence.reshape(-1, size**2), kernel.dtype),
        tf.reshape(kernel, [size**2, -1]),
    )
    matrices = tf.reshape(
        entries,
        [math.prod(outputs), math.prod(sides) * channels, kernel.shape[-1]],
    )
    products = tf.matmul(
        tf.reshape(images, [1, -1, matrices.shape[1]]), matrices
    )
    return tf.reshape(
        tf.transpose(products, [1, 0, 2]), [-1, *outputs, kernel.shape[-1]]
    )


def _taps(length, size, stride):
    """Returns 1 where an output meets an input: `[outputs, inputs, taps]`."""
    outputs = np.arange(-(-length // stride))[:, None, None]
    inputs = np.arange(length)[:, None]
    before, _ = _same_padding(length, size, stride)
    return inputs - outputs * stride + before == np.arange(size)


def _same_padding(length, size, stride):
    """Returns the pixels that SAME padding adds before and after."""
    outputs = -(-length // stride)
    total = max((outputs - 1) * stride + size - length, 0)
    return [total // 2, total - total // 2]
