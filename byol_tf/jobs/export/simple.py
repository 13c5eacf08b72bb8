"""Exports a Keras encoder as a SavedModel, without a run folder."""

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
    """Writes an encoder with its preprocessing as the next SavedModel version.

    The default signature takes the bytes of image files of any size. A file
    that cannot be read gives a row of NaN with a status. The export is not
    verified; `byol_tf export` does that for a run folder.

    Args:
        encoder: from float32 images in [0, 1] to vectors `[batch, features]`.
        prepare: from uint8 images to inputs of `encoder`, such as `CentreView`.
        directory: folder of the versions, as for TensorFlow Serving.
        image_size: side in pixels that files are decoded to.

    Returns:
        The folder of the version, `directory/<number>`.
    """
    directory = pathlib.Path(os.path.expanduser(directory))
    shape = [image_size, image_size, encoder.input_shape[-1]]
    sizes = load_modality("image").sizes(shape)
    source = Encoder(encoder, prepare, {"modality": "image", "sizes": sizes})
    with saved_model.new_version(directory) as folder:
        saved_model.save(*signatures.make_module(source), folder)
        version = saved_model.next_version(directory)
    return directory / str(version)
