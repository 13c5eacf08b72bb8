"""What an exported model can be asked for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from byol_tf.export.fold import fold_batch_norms
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.decode import MAX_PIXELS
from byol_tf.modalities.image.graph_decode import OK, decode_squares
from byol_tf.modalities.image.layer import to_float

DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
IMAGES, IMAGES_FLOAT, CLASSIFY = "images", "images_float", "classify"
_BYTES = tf.TensorSpec([None], tf.string, "bytes")
_FILES = "string [n], the bytes of JPEG, PNG, GIF or BMP files of any size"
_STATUS = 'string [n], "ok" or why the image could not be read'


class Model(NamedTuple):
    """A Keras model with the preparation of what it takes.

    Attributes:
        model: float32 images in [0, 1] to vectors `[n, d]`.
        prepare: from images, uint8 or float in [0, 1], to what `model` takes.
        image_size: pixels of a side that files are decoded to.
        classes: names of the vectors' values, if they are probabilities.
    """

    model: keras.Model
    prepare: Callable[[tf.Tensor], tf.Tensor]
    image_size: int
    classes: Sequence[str] = ()

    @property
    def channels(self) -> int:
        return self.model.input_shape[-1]


def make_module(
    encoder: Model,
    classifier: Model | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[tf.Module, dict[str, Callable]]:
    """A module with the variables, and its signatures by name.

    Batch norms are folded into convolutions, see `fold_batch_norms`.

    Args:
        encoder: gives representations.
        classifier: None, or gives probabilities of its classes.
        max_pixels: of an image file; larger ones are not decoded.

    Raises:
        ValueError: a model takes other than 1 or 3 channels.
    """
    encoder, classifier = map(_folded, (encoder, classifier))
    models = {"encoder": encoder}
    if classifier is not None:
        models["classifier"] = classifier
    for name, (model, *_) in models.items():
        if model.input_shape[-1] not in (1, 3):
            raise ValueError(
                f"the {name} must take images of 1 or 3 channels, since the "
                "signature of bytes decodes image files, which have no "
                f"others. Received: {model.input_shape[-1]} channels"
            )
    module = tf.Module()
    # Only the variables: a Keras model would need its classes on loading.
    module.model_variables = [
        variable.value
        for entry in models.values()
        for variable in entry.model.variables
    ]
    module.serve = _serve(encoder, max_pixels)
    module.serve_images = _serve_images(encoder, tf.uint8)
    module.serve_images_float = _serve_images(encoder, tf.float32)
    signatures = {
        DEFAULT: module.serve,
        IMAGES: module.serve_images,
        IMAGES_FLOAT: module.serve_images_float,
    }
    if classifier is not None:
        module.classify = _classify(classifier, max_pixels)
        signatures[CLASSIFY] = module.classify
    return module, signatures


def describe(encoder: Model, classifier: Model | None = None) -> dict:
    """Inputs and outputs of every signature in words, as JSON values."""
    features, channels = encoder.model.output_shape[-1], encoder.channels
    representations = f"float32 [n, {features}]"
    images = f"[n, height, width, {channels}] of any size"
    described = {
        DEFAULT: {
            "inputs": {"bytes": _FILES},
            "outputs": {
                "representations": f"{representations}, NaN where the image "
                "could not be read",
                "status": _STATUS,
            },
        },
        IMAGES: {
            "inputs": {"images": f"uint8 {images}"},
            "outputs": {"representations": representations},
        },
        IMAGES_FLOAT: {
            "inputs": {"images": f"float32 {images}, in [0, 1]"},
            "outputs": {"representations": representations},
        },
    }
    if classifier is not None:
        count = len(classifier.classes)
        described[CLASSIFY] = {
            "inputs": {"bytes": _FILES},
            "outputs": {
                "classes": f"string [n, {count}], the names",
                "probabilities": f"float32 [n, {count}], 0 where the image "
                "could not be read",
                "label": 'string [n], the likeliest class, or ""',
                "status": _STATUS,
            },
        }
    return described


def _folded(entry):
    return entry and entry._replace(model=fold_batch_norms(entry.model))


def _serve(encoder, max_pixels):
    @tf.function(input_signature=[_BYTES], autograph=False)
    def serve(files):
        vectors, status = _from_files(encoder, files, max_pixels)
        good = (status == OK)[:, None]
        vectors = tf.where(good, vectors, float("nan"))
        return {"representations": vectors, "status": status}

    return serve


def _serve_images(encoder, dtype):
    shape = [None, None, None, encoder.channels]
    spec = tf.TensorSpec(shape, dtype, "images")

    @tf.function(input_signature=[spec], autograph=False)
    def serve_images(images):
        return {"representations": _call(encoder, images)}

    return serve_images


def _classify(classifier, max_pixels):
    names = tf.constant(list(classifier.classes))

    @tf.function(input_signature=[_BYTES], autograph=False)
    def classify(files):
        probabilities, status = _from_files(classifier, files, max_pixels)
        good = status == OK
        label = tf.gather(names, tf.argmax(probabilities, -1))
        shape = [tf.shape(files)[0], len(classifier.classes)]
        return {
            "classes": tf.broadcast_to(names, shape),
            "probabilities": tf.where(good[:, None], probabilities, 0.0),
            "label": tf.where(good, label, ""),
            "status": status,
        }

    return classify


def _from_files(entry, files, max_pixels):
    images, status = decode_squares(
        files, entry.image_size, entry.channels, max_pixels
    )
    return _call(entry, images), status


def _call(entry, images):
    # Convolutions refuse a batch of no image: it gets one, which is cut off.
    count = tf.shape(images)[0]
    missing = tf.cast(count == 0, tf.int32)
    padded = tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])
    padded = tf.ensure_shape(padded, [None, *images.shape[1:]])
    prepared = _prepare(entry.prepare, padded)
    vectors = entry.model(prepared, training=False)[:count]
    return tf.cast(vectors, tf.float32)  # of whatever precision it computes in


def _prepare(prepare, images):
    """What `prepare` makes, without a resize of images that have the size."""
    if (
        None not in images.shape[1:3]  # then it sees for itself
        or not isinstance(prepare, CentreView)
        or prepare.crop_fraction < 1
    ):
        return prepare(images)
    return tf.cond(
        tf.reduce_all(tf.shape(images)[1:3] == prepare.size),
        lambda: tf.ensure_shape(
            to_float(images), [None, *prepare.size, images.shape[-1]]
        ),
        lambda: prepare(images),
    )
