"""What a run says of its encoder, for the file beside it."""

from collections.abc import Sequence

import tensorflow as tf

from byol_tf.jobs.pretrain import data, methods
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.earlier import CROPS


def describe(config, row_shape: Sequence[int], view_size: int) -> dict:
    """Arguments of `save_encoder` that follow from a configuration.

    Args:
        config: of the run.
        row_shape: of a stored row; `(height, width, channels)` of an image.
        view_size: pixels of a side that the encoder is trained on.
    """
    name = config.get("modality", "image")
    augment = config.augment
    return {
        "modality": name,
        "spec": {name: tf.TensorSpec(row_shape, tf.uint8, name)},
        "sizes": {
            **load_modality(name).sizes(row_shape),
            "view_size": view_size,
            "max_pixels": data.max_pixels(config),
        },
        "method": methods.title(config),
        "crops": {key: augment[key] for key in CROPS},
        "config": config.to_dict(),
    }
