"""Exports of tiny encoders: their settings, and pictures for them."""

import numpy as np
from PIL import Image

from configs import export


def picture(height, width, channels=3):
    """Smooth random colours; the same for the same height."""
    rng = np.random.default_rng(height)
    small = rng.integers(0, 256, (4, 5, channels), np.uint8)
    image = Image.fromarray(small)
    return image.resize((width, height), Image.BICUBIC)


def options(**overrides):
    """The configuration of an export, with a small verification."""
    config = export.get_config()
    small = {"verify.images": 20, "verify.batch": 8, "verify.repeats": 1}
    config.update_from_flattened_dict({**small, **overrides})
    return config
