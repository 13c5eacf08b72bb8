"""Describes the models in run folders of releases 0.1 and 0.2.

They have no `preprocessor.json`. Its contents follow from the model's shape and
the fields of `config.yaml`.
"""

import os
import pathlib
from collections.abc import Mapping

import keras
from absl import logging

from byol_tf.files import sha256
from byol_tf.runs.config import read_values

MAX_MEGAPIXELS = 100.0
CROPS = ("area", "aspect", "resize", "flip")
NO_IMAGE_SIZE = (
    "the size that image files are decoded to is not known: the run folder is "
    "of an earlier release and config.yaml leaves it to the data; give it by "
    "--config.image_size=PIXELS"
)


def describe(
    path: str | os.PathLike, model: keras.Model, size: int = 0
) -> dict:
    """Returns what `preprocessor.json` would hold for an encoder.

    Args:
        path: path of its file.
        model: the encoder, of square images.
        size: side in pixels of its input; 0: the model's own, or the
            configuration's.

    Raises:
        ValueError: if neither gives a size, or images are not square.
    """
    config = read_values(pathlib.Path(path).parent)
    augment, data = config.get("augment", {}), config.get("data", {})
    _, height, width, channels = _image_shape(path, model)
    view_size = height or size or augment.get("size") or data.get("image_size")
    if not view_size or height != width:
        raise ValueError(
            f"{path} must take square images of a known size. Received: an "
            f"encoder of {height}x{width}; if it takes any, give one by "
            "--config.size=PIXELS"
        )
    # By default, views have the size of the images.
    image_size = data.get("image_size") or (
        0 if augment.get("size") else height or 0
    )
    logging.warning(
        "%s has no preprocessor.json: what its encoder takes follows from "
        "config.yaml. Only folders of earlier releases have none.",
        pathlib.Path(path).parent,
    )
    return {
        **_description(path, view_size, channels or data.get("channels") or 3),
        "sizes": {
            "image_size": image_size,
            "channels": channels or data.get("channels") or 3,
            "view_size": view_size,
            "max_pixels": int(
                data.get("max_megapixels", MAX_MEGAPIXELS) * 10**6
            ),
        },
        "crops": {key: augment[key] for key in CROPS if key in augment},
        "config": config,
    }


def describe_classifier(
    path: str | os.PathLike, about: Mapping, model: keras.Model
) -> dict:
    """Returns the same for a classifier, whose JSON file has most of it."""
    size, channels = about["image_size"], model.input_shape[-1]
    return {
        **about,
        **_description(path, size, channels),
        "preparation": about["preparation"],
        "sizes": {
            "image_size": size,
            "channels": channels,
            "view_size": model.input_shape[1],
            "max_pixels": int(MAX_MEGAPIXELS * 10**6),
        },
    }


def _description(path, size, channels):
    shape = [None, None, channels]
    return {
        "modality": "image",
        "spec": {"image": {"shape": shape, "dtype": "uint8"}},
        "preparation": {
            "module": "byol_tf",
            "class_name": "CentreView",
            "registered_name": "byol_tf>CentreView",
            "config": {"name": "centre_view", "size": [size, size]},
        },
        "sha256": sha256(path),
    }


def _image_shape(path, model):
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ValueError(
            f"{path} must map images [batch, height, width, channels] to "
            f"vectors [batch, features]. Received: {shape} to "
            f"{model.output_shape}"
        )
    return shape
