"""Encoders from keras.applications and keras-cv, without downloads.

Every encoder here takes float32 images in [0, 1] and gives float32
`[batch, features]`, as the project's own do.
"""

import contextlib
import inspect

import keras
from keras import layers

# keras-cv's named presets look for weights on the network even when none are
# wanted; these are the same architectures built from explicit arguments.
KERAS_CV = {
    "resnet18_v2": {"blocks": (2, 2, 2, 2), "block_type": "basic_block"},
    "resnet34_v2": {"blocks": (3, 4, 6, 3), "block_type": "basic_block"},
    "resnet50_v2": {"blocks": (3, 4, 6, 3), "block_type": "block"},
}
_STAGE_FILTERS = (64, 128, 256, 512)


def make_encoder(name: str, input_shape: tuple, dtype=None) -> keras.Model:
    """An encoder by prefixed name, with random weights.

    Args:
        name: "applications/<class or function of keras.applications>", such as
            "applications/MobileNetV3Small", or "keras_cv/<key of KERAS_CV>".
        input_shape: `(height, width, channels)`.
        dtype: Keras dtype policy.

    Raises:
        ValueError: for an unknown name, or a shape that the model refuses.
    """
    library, _, model = name.partition("/")
    if library == "applications":
        return from_applications(model, input_shape, dtype=dtype)
    if library == "keras_cv":
        return from_keras_cv(model, input_shape, dtype=dtype)
    raise ValueError(
        "`encoder.name` with a slash must begin with applications/ or "
        f"keras_cv/. Received: {name!r}"
    )


def from_applications(name: str, input_shape: tuple, dtype=None) -> keras.Model:
    """A model of keras.applications, pooled, without its classifier.

    Args:
        name: of the function, such as "ResNet50".
        input_shape: `(height, width, channels)`.
        dtype: Keras dtype policy.

    Raises:
        ValueError: if there is no such model or it refuses the shape.
    """
    function = getattr(keras.applications, name, None)
    if not inspect.isfunction(function):
        raise ValueError(
            f"keras.applications has no model {name!r}; see keras.io/api/"
            "applications for the names"
        )
    with _policy(dtype):
        model = function(
            include_top=False,
            weights=None,
            input_shape=tuple(input_shape),
            pooling="avg",
        )
    return vector_encoder(model, scale=_input_scale(model))


def from_keras_cv(name: str, input_shape: tuple, dtype=None) -> keras.Model:
    """A backbone of keras-cv, pooled.

    Args:
        name: a key of `KERAS_CV`.
        input_shape: `(height, width, channels)`.
        dtype: Keras dtype policy.

    Raises:
        ValueError: for an unknown name, or if keras-cv is not installed.
    """
    if name not in KERAS_CV:
        raise ValueError(
            f"`encoder.name` keras_cv/ must be followed by one of "
            f"{', '.join(sorted(KERAS_CV))}. Received: {name!r}"
        )
    try:
        import keras_cv
    except ImportError as error:
        raise ValueError(
            "encoder.name=keras_cv/... needs the package keras-cv: "
            "pip install keras-cv"
        ) from error
    plan = KERAS_CV[name]
    with _policy(dtype):
        backbone = keras_cv.models.ResNetV2Backbone(
            stackwise_filters=list(_STAGE_FILTERS),
            stackwise_blocks=list(plan["blocks"]),
            stackwise_strides=[1, 2, 2, 2],
            block_type=plan["block_type"],
            include_rescaling=False,
            input_shape=tuple(input_shape),
        )
    return vector_encoder(backbone)


def vector_encoder(
    model: keras.Model, *, scale: float = 1.0, offset: float = 0.0
) -> keras.Model:
    """Wraps any image model into an encoder.

    Args:
        model: built Keras model, images to `[batch, height, width, channels]`
            or to `[batch, features]`.
        scale: multiplies the images, which come in as [0, 1].
        offset: added after that, so 2 and -1 give [-1, 1], and 255 and 0 give
            [0, 255].

    Raises:
        ValueError: if the output is neither of the two.
    """
    inputs = keras.Input(model.input_shape[1:], name="images")
    x = inputs
    if (scale, offset) != (1.0, 0.0):
        x = layers.Rescaling(scale, offset, name="rescale", dtype="float32")(x)
    x = model(x)
    rank = len(x.shape)
    if rank == 4:
        x = layers.GlobalAveragePooling2D(name="pool", dtype="float32")(x)
    elif rank == 2:
        x = layers.Activation("linear", name="pool", dtype="float32")(x)
    else:
        raise ValueError(
            "`model` must give feature maps [batch, height, width, channels] "
            f"or vectors [batch, features]. Received output shape: {x.shape}"
        )
    return keras.Model(inputs, x, name="encoder")


def _input_scale(model: keras.Model) -> float:
    # Models that rescale by themselves expect pixels in [0, 255]; the others
    # are fed as they are, having no trained weights to match.
    inner = (type(layer).__name__ for layer in model.layers[:4])
    return 255.0 if "Rescaling" in inner else 1.0


@contextlib.contextmanager
def _policy(dtype):
    """Sets the policy of layers that take none as an argument."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
