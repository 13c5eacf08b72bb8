"""Images keep the contract of modalities."""

from typing import ClassVar

import numpy as np
from PIL import Image

from byol_tf.modalities.image.inputs import png
from tests.modalities.contract import ModalityContract


def picture(number, height, width):
    """A file of colours that change across the image."""
    rng = np.random.default_rng(number)
    small = rng.integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.BICUBIC)


class TestImage(ModalityContract):
    name, extension = "image", ".png"
    fields: ClassVar = {
        "augment.size": 24,
        "data.max_megapixels": 0.01,
        "encoder.name": "slim",
        "encoder.blocks": (1, 1),
        "encoder.widths": (8, 16),
    }
    garbage: ClassVar = {
        "large": png(np.zeros((101, 100, 3), np.uint8)),
        "damaged": png(np.zeros((9, 9, 3), np.uint8)).replace(b"IDAT", b"IDAX"),
    }

    @staticmethod
    def write(path, number):
        picture(number, 30 + 5 * number, 50 - 3 * number).save(path)
