"""Projector and predictor, and linear heads of other tasks."""

import keras

from byol_tf.checks import check_integer
from byol_tf.layers.batch_norm import FusedBatchNormalization

# Variance of a standard normal truncated at two deviations. Dividing by it
# gives the Keras initialiser a deviation of 1/sqrt(fan_in) before truncation,
# as in the official code.
_TRUNCATED_VARIANCE = 0.87962566103423978**2


def kernel_initializer() -> keras.initializers.Initializer:
    """Makes a truncated normal with deviation 1/sqrt(fan_in).

    Reference: defaults of `hk.Linear` and `hk.Conv2D`, as in the official code.
    """
    return keras.initializers.VarianceScaling(
        scale=_TRUNCATED_VARIANCE,
        mode="fan_in",
        distribution="truncated_normal",
    )


def mlp(
    input_size: int,
    hidden_size: int,
    output_size: int,
    *,
    layers: int = 2,
    normalized: bool = False,
    name: str,
    dtype=None,
) -> keras.Sequential:
    """Makes a projector or predictor.

    Linear with bias, batch norm, ReLU, ..., linear without bias.

    Args:
        input_size: length of the input vectors.
        hidden_size: width of the hidden layers (4096 in the paper).
        output_size: length of the output vectors (256 in the paper).
        layers: number of linear layers, at least 2.
        normalized: whether to end with a batch norm without scale and offset,
            as in SimSiam and MoCo v3.
        name: name of the model.
        dtype: Keras dtype policy of the layers.

    Returns:
        A built model, `[batch, input_size]` to `[batch, output_size]`.

    Raises:
        ValueError: if a size or `layers` is too small, or not an integer.

    Reference: BYOL, section 3.3; `networks.MLP` in the official code.
    """
    check_integer("hidden_size", hidden_size, 1)
    check_integer("output_size", output_size, 1)
    check_integer("layers", layers, 2)

    def dense(units, **options):
        # Each with its own initializer, since one draws the same numbers again.
        options |= {"kernel_initializer": kernel_initializer(), "dtype": dtype}
        return keras.layers.Dense(units, **options)

    stack = [keras.Input((input_size,))]
    for index in range(1, layers):
        # The first block keeps the names of a head with two layers.
        suffix = "" if index == 1 else f"_{index}"
        stack += [
            dense(hidden_size, name=f"hidden{suffix}"),
            FusedBatchNormalization(name=f"norm{suffix}", dtype=dtype),
            keras.layers.Activation("relu", name=f"relu{suffix}", dtype=dtype),
        ]
    stack.append(dense(output_size, use_bias=False, name="output"))
    if normalized:
        stack.append(_output_norm(dtype))
    return keras.Sequential(stack, name=name)


def _output_norm(dtype):
    return keras.layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        center=False,
        scale=False,
        name="output_norm",
        dtype=dtype,
    )


def vector_length(encoder: keras.Model) -> int:
    """Returns the length of an encoder's vectors.

    Raises:
        ValueError: if it is not built, or returns anything but `[batch, n]`.
    """
    if not encoder.built:
        raise ValueError(
            "`encoder` must be built: give it a `keras.Input`. "
            f"Received: {encoder.name}"
        )
    shape = getattr(encoder, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or not shape[-1]:
        raise ValueError(
            "`encoder` must be a functional or sequential model that maps its "
            "inputs to [batch, features]: wrap a subclassed one in "
            "`keras.Model(inputs, outputs)`, and pool feature maps first (see "
            f"`byol_tf.vector_encoder`). Received output shape: {shape}"
        )
    return shape[-1]


def linear_head(outputs: int, *, name: str) -> keras.layers.Layer:
    """Makes a layer from representations to `outputs` float32 numbers."""
    return keras.layers.Dense(
        outputs,
        kernel_initializer=kernel_initializer(),
        dtype="float32",
        name=name,
    )


def scaled_head(outputs: int, scale, offset, *, name: str) -> keras.Sequential:
    """Makes a linear head times `scale` plus `offset`, one for all or each."""
    units = keras.layers.Rescaling(
        scale, offset, dtype="float32", name=f"{name}_in_units"
    )
    return keras.Sequential(
        [linear_head(outputs, name=f"{name}_scaled"), units], name=name
    )
