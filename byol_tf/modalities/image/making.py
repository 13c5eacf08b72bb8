"""From a configuration to what pretraining takes of images, and pictures."""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from byol_tf.checks import in_section
from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples
from byol_tf.modalities import levels as graph_levels
from byol_tf.modalities.contract import Preview, Raw
from byol_tf.modalities.image import adapters
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.decode import (
    ImageError,
    decode_image,
    resize_and_centre_crop,
)
from byol_tf.modalities.image.reading import image_decoder
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.modalities.image.supervised import SupervisedAugment
from byol_tf.modalities.image.view import View
from byol_tf.modalities.image.views import TwoViews
from byol_tf.reports.grids import displayable, on_canvas, views_grid
from byol_tf.runtime import dtype_policy

CROPS = ("area", "aspect", "resize", "flip")  # options of `train_view`
MOST_PIXELS = 32  # of a side of what `raw` gives


def decoder(section) -> Decoder:
    """Returns how files and arrays become images, as `section.data` says."""
    data = section.data
    return image_decoder(
        data.image_size or None,
        data.channels or None,
        int(data.max_megapixels * 10**6),
    )


def fit(examples: Examples, section) -> CentreView:
    """Makes the preprocessor: the centre square at the size of the views.

    Raises:
        ValueError: the size of the views follows from nothing.
    """
    if section.augment.size:
        return CentreView(section.augment.size)
    height, width, _ = examples.row_shape
    if height is None or height != width:
        found = "of several sizes" if height is None else f"{height}x{width}"
        raise ValueError(
            f"augment.size is needed, since the images of {examples.name} are "
            f"not square. Received: images {found}"
        )
    return CentreView(height)


def views(section, preprocessor: CentreView) -> TwoViews:
    """Makes BYOL's two views at the preprocessor's size.

    Raises:
        ValueError: an option that has one value a view has not two.
    """
    options = section.augment.to_dict()
    options.pop("place")
    options["size"] = preprocessor.size
    for key in ("blur", "solarize"):
        if len(options[key]) != 2:
            raise ValueError(
                f"augment.{key} must have one probability for each view. "
                f"Received: {options[key]!r}"
            )
    with in_section("augment"):
        return TwoViews.byol(**options)


def crops(section) -> dict:
    """Returns the crop and flip of the run's own views."""
    return {key: section.augment[key] for key in CROPS}


def train_view(preprocessor: CentreView, crops: Mapping) -> Callable:
    """Makes a view that only crops and flips.

    Args:
        preprocessor: gives the size.
        crops: options of `View`: `area`, `aspect`, `resize`, `flip`.
    """
    options = {"jitter": 0.0, "grayscale": 0.0, "blur": 0.0, **crops}
    return View(preprocessor.size, **options).draw_with_where


def supervised_augment(options: Mapping) -> SupervisedAugment:
    """Makes RandAugment, MixUp and CutMix as configured."""
    return SupervisedAugment(**options)


def raw(preprocessor: CentreView, sizes: Mapping) -> Raw:
    """Makes the baseline of pixels, at most 32 of a side."""
    side = min(*preprocessor.size, MOST_PIXELS)
    inputs = keras.Input((side, side, sizes["channels"]))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs), name="pixels")
    prepare = CentreView(side, preprocessor.crop_fraction)
    return Raw("raw pixels", model, prepare)


def encoder(
    section, preprocessor: CentreView, row_shape: Sequence[int | None]
) -> keras.Model:
    """Makes the configured encoder with random weights.

    Args:
        section: a configuration of a run, with `encoder` and `precision`.
        preprocessor: gives the size.
        row_shape: of a stored row, channels last.
    """
    input_shape = (*preprocessor.size, row_shape[-1])
    options, name = section.encoder, section.encoder.name
    dtype = dtype_policy(section.precision)
    if "/" in name:
        return adapters.make_encoder(name, input_shape, dtype=dtype)
    overrides = {
        key: options[key]
        for key in ("blocks", "widths", "mean", "std")
        if options[key]
    }
    with in_section("encoder"):
        return make_resnet(
            name, input_shape, stem=options.stem, dtype=dtype, **overrides
        )


def levels(model: keras.Model) -> dict[str, tuple[str, int]]:
    """Finds "P1" to "P5", the last feature map of every stride."""
    return graph_levels.find_levels(model)


def preview(row: np.ndarray) -> Preview:
    """Shows a stored image as it is.

    Args:
        row: `[height, width, channels]`, uint8 or float in [0, 1].
    """
    (picture,) = displayable(np.asarray(row)[None])
    return Preview(np.round(picture * 255).astype(np.uint8))


def thumbnail(data: bytes | str | os.PathLike, side: int) -> np.ndarray | None:
    """The centre square of an image file, for people to look at.

    Args:
        data: path of the file, or its bytes.
        side: pixels of the result, or fewer if the image has no more.

    Returns:
        uint8 `[n, n, 3]`, or None if it cannot be read.
    """
    try:
        pixels = decode_image(data, channels=3, least_side=2 * side)
    except ImageError:
        return None
    return resize_and_centre_crop(pixels, min(side, *pixels.shape[:2]))


def draw_views(rows, pair, path: pathlib.Path) -> None:
    """Draws images above their two views into a PNG file."""
    drawn = [[preview(row).picture for row in rows], *pair]
    views_grid(on_canvas(drawn[0]), *drawn[1:], path)
