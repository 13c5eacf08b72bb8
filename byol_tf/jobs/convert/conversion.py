"""Converts official checkpoints to Keras encoders, verifies and saves them."""

import os
import pathlib
from typing import NamedTuple

import keras
import numpy as np

from byol_tf.files import loading, save_model, sha256, whole_file
from byol_tf.jobs.convert.architecture import (
    IMAGE_SIZE,
    Architecture,
    detect,
    our_name,
)
from byol_tf.jobs.convert.checkpoint import Checkpoint, load_checkpoint
from byol_tf.layers.plain import to_plain
from byol_tf.modalities.image.resnet import ResNet

Path = str | os.PathLike

CHECK_IMAGES = 2  # to compare with the saved file
CHECK_SIZE = 64  # side in pixels
CHECK_TOLERANCE = 1e-6  # relative
PLAIN_TOLERANCE = 1e-5  # for other kernels of the same ops


class Conversion(NamedTuple):
    """An official encoder in Keras, and the source of its weights."""

    encoder: keras.Model  # of images of any size
    architecture: Architecture
    checkpoint: Checkpoint


def convert(path: Path, encoder: str = "auto", width: float = 0) -> Conversion:
    """Reads an official checkpoint into a Keras encoder.

    Args:
        path: path of the checkpoint.
        encoder: expected name, such as "resnet50"; "auto": any.
        width: expected multiple of the usual channels; 0: any.

    Raises:
        ValueError: if the file is refused, damaged or of another encoder, or an
            array is missing, left over or of another shape. One line.
    """
    checkpoint = load_checkpoint(path)
    architecture = detect(checkpoint.arrays)
    if encoder not in ("auto", architecture.name) or (
        width not in (0, architecture.width)
    ):
        flags = [f"--encoder={encoder}"] * (encoder != "auto")
        flags += [f"--width={width:g}"] * (width != 0)
        raise ValueError(
            f"{path} holds a {architecture.name} of width "
            f"{architecture.width:g}, not {' '.join(flags)}; leave that out "
            "to convert what is there"
        )
    model = ResNet((None, None, 3), **architecture.arguments())
    assign(model, checkpoint)
    return Conversion(model, architecture, checkpoint)


def read_encoder(path: Path) -> keras.Model:
    """Reads the encoder of an official checkpoint; see `convert`.

    Args:
        path: path of the checkpoint.

    Returns:
        A Keras model from float32 images in [0, 1] to `[batch, features]`.

    Raises:
        ValueError: as `convert`.
    """
    return convert(path).encoder


def assign(encoder: keras.Model, checkpoint: Checkpoint) -> None:
    """Assigns each array of a checkpoint to its variable of an encoder.

    Raises:
        ValueError: if an array is left over, does not fit or is not finite, or
            a variable gets none. One line.
    """
    variables = {
        (layer.name, variable.name): variable
        for layer in encoder.layers
        for variable in layer.variables
        # Official files have no normalisation of pixels.
        if not isinstance(layer, keras.layers.Normalization)
    }
    for key, value in checkpoint.arrays.items():
        variable = variables.pop(our_name(key), None)
        if variable is None:
            raise ValueError(
                f"`{key}` of the checkpoint has no place in the encoder, "
                "which would be another one without it"
            )
        variable.assign(_fitted(key, value, tuple(variable.shape)))
    if variables:
        layer, variable = next(iter(variables))
        raise ValueError(
            f"the checkpoint has nothing for `{variable}` of the layer "
            f"`{layer}`, and {len(variables) - 1} more"
        )


def _fitted(key, value, shape):
    """Reshapes an array to its variable; official norms are [1, 1, 1, c]."""
    padded = (1,) * (np.ndim(value) - len(shape)) + shape
    if np.shape(value) != padded:
        raise ValueError(
            f"`{key}` must be {list(shape)}. Received: {list(np.shape(value))}"
        )
    value = np.asarray(value, np.float32).reshape(shape)
    if not np.isfinite(value).all():
        raise ValueError(f"`{key}` must be finite, and holds NaN or infinity")
    return value


def verify(encoder: keras.Model, path: Path, tolerance: float) -> float:
    """Compares an encoder with recorded activations.

    Args:
        encoder: from images in [0, 1] to representations.
        path: an `.npz` file with `images` `[n, height, width, 3]`, float in [0,
            1], and the official network's `representations` `[n, d]`.
        tolerance: largest relative difference: norm of the difference by norm
            of the recorded representations.

    Returns:
        The relative difference.

    Raises:
        ValueError: if the file is not of this kind, or the difference is
            larger. One line.
    """
    with loading(path), np.load(path, allow_pickle=False) as file:
        arrays = dict(file) if isinstance(file, np.lib.npyio.NpzFile) else {}
    features = encoder.output_shape[-1]
    empty = np.empty(0)
    images = arrays.get("images", empty)
    recorded = arrays.get("representations", empty)
    if images.ndim != 4 or recorded.shape != (len(images), features):
        raise ValueError(
            f"{path} must hold `images` [n, height, width, 3] and "
            f"`representations` [n, {features}]. Received: "
            f"{list(images.shape)} and {list(recorded.shape)}"
        )
    ours = encoder.predict(images.astype(np.float32), verbose=0)
    difference = relative_difference(ours, recorded)
    if not difference <= tolerance:
        raise ValueError(
            f"the encoder differs from the activations in {path} by "
            f"{difference:.1e}, more than {tolerance:.1e}; nothing was written"
        )
    return difference


def relative_difference(ours, theirs) -> float:
    """Returns the norm of the difference divided by the norm of `theirs`."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    norm = max(np.linalg.norm(theirs), np.finfo(np.float32).tiny)
    return float(np.linalg.norm(ours - theirs) / norm)


def save(converted: Conversion, path: Path) -> float:
    """Saves the encoder as a plain Keras file; returns the relative difference.

    The file is loaded again in Keras' safe mode, and gets its name only if it
    gives the same representations of random images.

    Raises:
        ValueError: if they differ, in which case no file is left, or if the
            name does not end in .keras. One line.
    """
    if pathlib.Path(path).suffix != ".keras":
        raise ValueError(f"`to` must end in .keras. Received: {path}")
    shape = (CHECK_IMAGES, CHECK_SIZE, CHECK_SIZE, 3)
    images = np.random.default_rng(0).random(shape, np.float32)
    plain = to_plain(converted.encoder)
    with whole_file(path) as temporary:
        save_model(plain, temporary)
        with loading(temporary):
            copy = keras.saving.load_model(
                temporary, compile=False, safe_mode=True
            )
        outputs = plain(images)
        difference = relative_difference(copy(images), outputs)
        plain_difference = relative_difference(
            outputs, converted.encoder(images)
        )
        if not (
            difference <= CHECK_TOLERANCE
            and plain_difference <= PLAIN_TOLERANCE
        ):
            raise ValueError(
                f"the saved encoder differs from the converted one by "
                f"{difference + plain_difference:.1e}; nothing was written"
            )
    return difference


def summary(converted: Conversion, source: Path, saved: Path) -> dict:
    """Describes a conversion as JSON values."""
    encoder = converted.encoder
    architecture = converted.architecture
    return {
        "source": {
            "file": pathlib.Path(source).name,
            "bytes": pathlib.Path(source).stat().st_size,
            "sha256": sha256(source),
            "network": converted.checkpoint.root,
            "arrays": len(converted.checkpoint.arrays),
            "step": converted.checkpoint.step,
        },
        "encoder": architecture.name,
        "width": architecture.width,
        "arguments": architecture.arguments(),
        "parameters": sum(
            int(np.prod(v.shape)) for v in encoder.trainable_variables
        ),
        "layers_with_weights": sum(1 for x in encoder.layers if x.weights),
        "image_size": IMAGE_SIZE,
        "features": encoder.output_shape[-1],
        "sha256": sha256(saved),
    }
