"""A Keras encoder as a SavedModel, in one call, without a run folder."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import keras

from byol_tf.export import saved_model, signatures
from byol_tf.modalities.registry import load_modality


@dataclasses.dataclass(frozen=True, eq=False)
class ImageModel:
    """A Keras model as a `Source` of exports.

    Attributes:
        model: from prepared images to vectors.
        preprocessor: from uint8 images to what `model` takes.
        image_size: pixels of a side that files are decoded to.
    """

    model: keras.Model
    preprocessor: Callable
    image_size: int
    classes: tuple[str, ...] = ()
    noun: str = "image"

    def batch(self, rows):
        """See `Source`."""
        return rows

    def inputs(self, form: str):
        """See `Source`."""
        modality = load_modality(self.noun)
        channels = self.model.input_shape[-1]
        sizes = modality.sizes([self.image_size, self.image_size, channels])
        return modality.inputs(self.preprocessor, sizes, form)


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
    `export.py` does that for a run folder.

    Args:
        encoder: from float32 images in [0, 1] to vectors `[batch, features]`.
        prepare: from uint8 images to what `encoder` takes, as `CentreView`.
        directory: of the versions, as TensorFlow Serving wants them.
        image_size: pixels of a side that files are decoded to.

    Returns:
        The folder of the version, `directory/<number>`.
    """
    source = ImageModel(encoder, prepare, image_size)
    module, calls = signatures.make_module(source)
    with saved_model.new_version(directory) as folder:
        saved_model.save(module, calls, folder)
        version = saved_model.next_version(directory)
    return pathlib.Path(directory) / str(version)
