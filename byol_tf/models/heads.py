"""Projector and predictor, and the linear heads of other tasks."""

import keras

from byol_tf.layers import FusedBatchNormalization

# Variance of the standard normal truncated at two deviations: with it the
# Keras initialiser has the deviation 1/sqrt(fan_in) before truncation, which
# is what the official code's layers start from.
_TRUNCATED_VARIANCE = 0.87962566103423978**2


def kernel_initializer() -> keras.initializers.Initializer:
    """Truncated normal of deviation 1/sqrt(fan_in), as in the official code.

    Reference: defaults of `hk.Linear` and `hk.Conv2D`.
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
    name: str,
    dtype=None,
) -> keras.Sequential:
    """Linear with bias, batch norm, ReLU, linear without bias.

    The projector and the predictor both have this form.

    Args:
        input_size: length of the input vectors.
        hidden_size: width of the hidden layer (4096 in the paper).
        output_size: length of the output vectors (256 in the paper).
        name: of the model.
        dtype: Keras dtype policy of the layers.

    Returns:
        A built model, `[batch, input_size]` to `[batch, output_size]`.

    Raises:
        ValueError: if a size is not a positive integer.

    Reference: BYOL, section 3.3; `networks.MLP` in the official code.
    """
    for key, value in (
        ("hidden_size", hidden_size),
        ("output_size", output_size),
    ):
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{key}` of the {name} must be a positive integer. "
                f"Received: {key}={value!r}"
            )
    dense = {"kernel_initializer": kernel_initializer(), "dtype": dtype}
    return keras.Sequential(
        [
            keras.Input((input_size,)),
            keras.layers.Dense(hidden_size, name="hidden", **dense),
            FusedBatchNormalization(name="norm", dtype=dtype),
            keras.layers.Activation("relu", name="relu", dtype=dtype),
            keras.layers.Dense(
                output_size, use_bias=False, name="output", **dense
            ),
        ],
        name=name,
    )


def linear_head(outputs: int, *, name: str) -> keras.layers.Layer:
    """A layer from representations to so many numbers, float32."""
    return keras.layers.Dense(
        outputs,
        kernel_initializer=kernel_initializer(),
        dtype="float32",
        name=name,
    )


def scaled_head(outputs: int, scale, offset, *, name: str) -> keras.Sequential:
    """A linear head whose numbers, of about unit size, are brought to units.

    Args:
        outputs: numbers that it gives.
        scale: factor, one for all or one for each.
        offset: added afterwards, likewise.
        name: of the layer.
    """
    units = keras.layers.Rescaling(
        scale, offset, dtype="float32", name=f"{name}_in_units"
    )
    return keras.Sequential(
        [linear_head(outputs, name=f"{name}_scaled"), units], name=name
    )
