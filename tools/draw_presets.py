"""Draws the views of each preset for docs/guides/augmentation.md.

    python -m tools.draw_presets

Uses the two photos in scikit-learn, and writes `docs/images/preset_NAME.png`.
"""

import io
import pathlib

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.reports.grids import views_grid
from configs import base
from configs.presets import PRESETS

IMAGES = pathlib.Path(__file__).parent.parent / "docs" / "images"
SIDE, VIEWS_PER_PHOTO, COLOURS = 96, 3, 48


def draw(name: str, path: pathlib.Path) -> None:
    """Draws both photos above their views, with new ones in each column."""
    squares = [
        CentreView(SIDE)(photo[None]).numpy()[0]
        for photo in load_sample_images().images
    ]
    photos = np.repeat(np.stack(squares), VIEWS_PER_PHOTO, axis=0)
    if name == "gray":
        photos = photos.mean(axis=-1, keepdims=True)
    config = base.get_config()
    with config.ignore_type():
        config.augment.update(PRESETS[name])
    views = IMAGE.views(config, CentreView(SIDE))
    pair = views(photos, seed=np.array([0, 3], np.int32))
    buffer = io.BytesIO()
    views_grid(photos, *(view.numpy() for view in pair), buffer)
    picture = Image.open(buffer).convert("RGB")
    picture.quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    for preset in PRESETS:
        draw(preset, IMAGES / f"preset_{preset}.png")
