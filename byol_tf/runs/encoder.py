"""The encoder of a run folder: loaded, checked, and a fresh one of its kind."""

import hashlib
import os
import pathlib

import keras

from byol_tf.files import loading, sha256
from byol_tf.runtime import set_seed

FILE = "encoder.keras"
MOST_PIXELS = 32  # of a side of what `pixel_encoder` takes


def load_encoder(workdir: str | os.PathLike) -> keras.Model:
    """Loads the encoder of a run folder in Keras's safe mode.

    Raises:
        ValueError: there is none, it cannot be read, or it does not make
            vectors of images.
    """
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        raise ValueError(
            f"no encoder in {workdir} (looked for {FILE}); pretrain one with "
            f"python train.py --config=configs/quickstart.py "
            f"--workdir={workdir}, or wait until its training ends"
        )
    with loading(path):
        encoder = keras.saving.load_model(path, compile=False)
    shapes = encoder.input_shape, encoder.output_shape
    if not all(isinstance(shape, tuple) for shape in shapes) or (
        [len(shape) for shape in shapes] != [4, 2]
    ):
        raise ValueError(
            f"{path} must map images [batch, height, width, channels] to "
            f"vectors [batch, features]. Received: {shapes[0]} to {shapes[1]}"
        )
    return encoder


def file_digest(workdir: str | os.PathLike) -> str:
    """SHA-256 of the encoder's file, in hex digits."""
    return sha256(pathlib.Path(workdir) / FILE)


def weights_digest(encoder: keras.Model) -> str:
    """SHA-256 of the weights' values, in hex digits."""
    digest = hashlib.sha256()
    for weight in encoder.weights:
        value = weight.value.numpy()
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def fresh_encoder(encoder: keras.Model, seed: int) -> keras.Model:
    """An encoder of the same architecture, as if it had never been trained.

    Args:
        encoder: any Keras model that can be made from its configuration.
        seed: of the weights; seeds Python, NumPy and TensorFlow as well.
    """
    set_seed(seed)
    return type(encoder).from_config(encoder.get_config())


def pixel_encoder(size: int, channels: int) -> keras.Model:
    """Images `[batch, size, size, channels]` to their pixels as vectors."""
    inputs = keras.Input((size, size, channels))
    return keras.Model(inputs, keras.layers.Flatten()(inputs), name="pixels")


def input_size(
    encoder: keras.Model,
    image_shape: tuple[int, int, int],
    *,
    name: str,
    size: int = 0,
    usual: int = 0,
) -> int:
    """Pixels of a side that images are brought to for an encoder.

    Args:
        encoder: see `load_encoder`.
        image_shape: `(height, width, channels)` of the images.
        name: of the images, for messages.
        size: wanted, or 0 for the encoder's own; an encoder of images of any
            size has `usual`, or else the images' shorter side.
        usual: what the encoder was trained on, or 0.

    Raises:
        ValueError: the encoder takes another number of channels, another
            size, or images that are not square.
    """
    _, height, width, channels = encoder.input_shape
    if channels not in (None, image_shape[-1]):
        raise ValueError(
            f"the encoder takes {channels} channels, but the images of {name} "
            f"have {image_shape[-1]}; convert them with "
            f"--config.data.channels={channels}, or choose another encoder"
        )
    if height != width:
        raise ValueError(
            f"the encoder must take square images. Received: an encoder of "
            f"{height}x{width}"
        )
    if height and size not in (0, height):
        raise ValueError(
            f"size={size} does not fit the encoder, which takes {height}x"
            f"{width} images; leave size at 0 to have them resized to that"
        )
    return height or size or usual or min(image_shape[:2])
