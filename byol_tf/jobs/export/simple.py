"""A Keras encoder as a SavedModel, in one call, without a run folder."""

import os
import pathlib

import keras

from byol_tf.export import saved_model, signatures
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.artifact import Encoder


def export_saved_model(
    encoder: keras.Model,
    prepare: keras.layers.Layer,
    directory: str | os.PathLike,
    *,
    image_size: int,
) -> pathlib.Path:
    """Writes an encoder with its preprocessing as the next version.

    The default signature takes the bytes of image files of any size; a file
    that cannot be read is a row of NaN with a status. Nothing is compared:
    `byol_tf export` does that for a run folder.

    Args:
        encoder: from float32 images in [0, 1] to vectors `[batch, features]`.
        prepare: from uint8 images to what `encoder` takes, as `CentreView`.
        directory: of the versions, as TensorFlow Serving wants them.
        image_size: pixels of a side that files are decoded to.

    Returns:
        The folder of the version, `directory/<number>`.
    """
    shape = [image_size, image_size, encoder.input_shape[-1]]
    sizes = load_modality("image").sizes(shape)
    source = Encoder(encoder, prepare, {"modality": "image", "sizes": sizes})
    with saved_model.new_version(directory) as folder:
        saved_model.save(*signatures.make_module(source), folder)
        version = saved_model.next_version(directory)
    return pathlib.Path(directory) / str(version)
