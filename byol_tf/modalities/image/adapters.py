"""Encoders from keras.applications and keras-cv, without downloads.

Every encoder here takes float32 images in [0, 1] and gives float32
`[batch, features]`, as the project's own do.
"""

import contextlib
import inspect

import keras
from keras import layers

from byol_tf.layers.graph import functional_graph

# keras-cv's named presets look for weights on the network even when none are
# wanted; these are the same architectures built from explicit arguments.
KERAS_CV = {
    "resnet18_v2": {"blocks": (2, 2, 2, 2), "block_type": "basic_block"},
    "resnet34_v2": {"blocks": (3, 4, 6, 3), "block_type": "basic_block"},
    "resnet50_v2": {"blocks": (3, 4, 6, 3), "block_type": "block"},
}
_STAGE_FILTERS = (64, 128, 256, 512)
# Models of keras.applications that begin with a layer `Rescaling`.
_RESCALING = ("EfficientNet", "MobileNetV3")


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
    # Models that rescale by themselves expect pixels in [0, 255]; the others
    # are fed as they are, having no trained weights to match.
    scale = 255.0 if name.startswith(_RESCALING) else 1.0
    images = keras.Input(tuple(input_shape), name="images")
    with _policy(dtype):
        model = function(
            include_top=False,
            weights=None,
            input_tensor=_rescaled(images, scale, 0.0),
            input_shape=tuple(input_shape),
            pooling="avg",
        )
    return vector_encoder(model)


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
            input_tensor=keras.Input(tuple(input_shape), name="images"),
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
    graph = functional_graph(model)
    if graph and (scale, offset) == (1.0, 0.0) and _has_no_pool(graph):
        # One graph, in which feature maps can be found by name.
        inputs, x = model.inputs[0], model.outputs[0]
    else:
        inputs = keras.Input(model.input_shape[1:], name="images")
        x = model(_rescaled(inputs, scale, offset))
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


def _has_no_pool(graph):
    return all(layer.name != "pool" for layer in graph.operations)


def _rescaled(images, scale, offset):
    if (scale, offset) == (1.0, 0.0):
        return images
    rescale = layers.Rescaling(scale, offset, name="rescale", dtype="float32")
    return rescale(images)


@contextlib.contextmanager
def _policy(dtype):
    """Sets the policy of layers that take none as an argument."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
