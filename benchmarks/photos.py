"""Makes JPEG files like photos, to measure decoding."""

import pathlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 500, 375  # the usual size of ImageNet's files
QUALITY = 90


def write_photos(folder: pathlib.Path, count: int) -> None:
    """Writes JPEG files in two sub-folders, the same each time.

    They hold noise of all scales, strongest at the coarse ones, as photos do.
    So they have 60 to 90 kB, and decoding takes as long as for photos.
    """
    for index in range(count):
        path = folder / f"class{index % 2}" / f"{index:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(index)).save(path, quality=QUALITY)


def photo(seed: int) -> np.ndarray:
    """Makes the pixels of one, uint8 `[375, 500, 3]`."""
    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for cells, strength in ((2, 60), (6, 40), (20, 24), (70, 12), (250, 14)):
        shape = (max(2, cells * HEIGHT // WIDTH), cells, 3)
        noise = rng.normal(size=shape) * strength
        planes = [
            Image.fromarray(noise[..., c].astype(np.float32)).resize(
                (WIDTH, HEIGHT), Image.BICUBIC
            )
            for c in range(3)
        ]
        total += np.stack([np.asarray(plane) for plane in planes], axis=-1)
    return np.clip(total + 120, 0, 255).astype(np.uint8)
