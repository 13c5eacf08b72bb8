"""The modality of images.

See `modalities.contract` for the methods' arguments and results.
"""

import functools

import keras
import numpy as np

from byol_tf.checks import in_section
from byol_tf.modalities.contract import Raw
from byol_tf.modalities.image import (
    adapters,
    card,
    efficientnet_lite,
    inputs,
    torch_file,
)
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.decode import (
    EXTENSIONS,
    ImageError,
    decode_image,
)
from byol_tf.modalities.image.kept import codec, limited, reduced
from byol_tf.modalities.image.letterbox import WholeView
from byol_tf.modalities.image.plan import plan
from byol_tf.modalities.image.reading import image_decoder
from byol_tf.modalities.image.resize import (
    resize_and_centre_crop,
    resize_whole,
)
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.modalities.image.supervised import SupervisedAugment
from byol_tf.modalities.image.view import View
from byol_tf.modalities.image.views import TwoViews
from byol_tf.modalities.image.window import CHOICES, fit_window, parse_window
from byol_tf.modalities.levels import find_levels
from byol_tf.reports.grids import displayable, on_canvas, views_grid
from byol_tf.runtime import dtype_policy

CROPS = ("area", "aspect", "resize", "flip")  # options of `train_view`
MOST_PIXELS = 32  # largest side of images for `raw`
PREVIEW = 256  # pixels, largest shorter side of images in pictures


class ImageModality:
    """Implements `modalities.contract.Modality` for images."""

    name = "image"
    extensions = EXTENSIONS
    strength = ("augment.area", "choice", (0.2, 1.0), (0.4, 1.0), (0.6, 1.0))
    sizes = staticmethod(inputs.sizes)
    decode_row = staticmethod(inputs.decode_row)
    origin = staticmethod(inputs.origin)
    as_wanted = staticmethod(inputs.as_wanted)
    inputs = staticmethod(inputs.inputs)
    card = staticmethod(card.card)
    levels = staticmethod(find_levels)
    plan = staticmethod(plan)
    codec = staticmethod(codec)

    def decoder(self, section, whole=False):
        data, window = section.data, parse_window(section.data.window)
        return image_decoder(
            data.image_size or None,
            data.channels or None,
            int(data.max_megapixels * 10**6),
            window=None if window in CHOICES else window,
            whole=whole,
        )

    def fit(self, examples, section) -> CentreView:
        """Makes the preprocessor: the centre square at the size of the views.

        Raises:
            ValueError: if the size of the views cannot be determined.
        """
        dtype = next(iter(examples.spec.values())).dtype.name
        window = fit_window(examples, section.data.window)
        options = {"window": window, "stored": dtype}
        if section.augment.size:
            return CentreView(section.augment.size, **options)
        height, width, _ = examples.row_shape
        if height is None or height != width:
            received = (
                "of several sizes" if height is None else f"{height}x{width}"
            )
            raise ValueError(
                f"augment.size is needed, since the images of {examples.name} "
                f"are not square. Received: images {received}"
            )
        return CentreView(height, **options)

    def milder(self, section, row_shape):
        entries = [("augment.jitter", 0.4, 0)]
        if row_shape[-1] == 3:  # others have no hue
            if section.augment.jitter:
                entries.append(("augment.hue", 0.02, 0))
            entries.append(("augment.grayscale", 0.0, 0))
        return *entries, ("augment.area", (0.3, 1.0), 1)

    def whole(self, preprocessor, side) -> WholeView:
        options = {**preprocessor.get_config(), "crop_fraction": 1.0}
        return WholeView(**{**options, "size": side})

    def views(self, section, preprocessor) -> TwoViews:
        """Makes BYOL's two views at the preprocessor's size.

        Raises:
            ValueError: if an option per view does not have two values.
        """
        options = section.augment.to_dict()
        del options["place"], options["preset"]
        options["size"] = preprocessor.size
        options["window"] = preprocessor.window
        for key in ("blur", "solarize"):
            if len(options[key]) != 2:
                raise ValueError(
                    f"augment.{key} must have one probability for each view. "
                    f"Received: {options[key]!r}"
                )
        with in_section("augment"):
            return TwoViews.byol(**options)

    def crops(self, section):
        return {key: section.augment[key] for key in CROPS}

    def train_view(self, preprocessor, crops):
        options = {"jitter": 0.0, "grayscale": 0.0, "blur": 0.0, **crops}
        options["window"] = preprocessor.window
        view = View(preprocessor.size, **options)
        draw = functools.partial(view.draw_with_where)
        draw.reduce = functools.partial(reduced, side=view.kept_side())
        return draw

    def supervised_augment(self, options) -> SupervisedAugment:
        return SupervisedAugment(**options)

    def raw(self, preprocessor, sizes) -> Raw:
        side = min(*preprocessor.size, MOST_PIXELS)
        pixels = keras.Input((side, side, sizes["channels"]))
        model = keras.Model(pixels, keras.layers.Flatten()(pixels))
        options = {**preprocessor.get_config(), "size": side}
        prepare = CentreView.from_config(options)
        return Raw("raw pixels", model, prepare)

    def encoder(self, section, preprocessor, row_shape) -> keras.Model:
        input_shape = (*preprocessor.size, row_shape[-1])
        options, name = section.encoder, section.encoder.name
        dtype = dtype_policy(section.precision)
        if "/" in name:
            return adapters.make_encoder(name, input_shape, dtype=dtype)
        keys = ("blocks", "widths", "mean", "std")
        is_lite = name == efficientnet_lite.NAME
        keys = keys[2:] if is_lite else keys
        overrides = {key: options[key] for key in keys if options[key]}
        if is_lite:
            return efficientnet_lite.make_efficientnet_lite(
                input_shape, dtype, **overrides
            )
        with in_section("encoder"):
            return make_resnet(
                name, input_shape, stem=options.stem, dtype=dtype, **overrides
            )

    def pretrained(
        self, section, preprocessor, row_shape, examples=None
    ) -> keras.Model:
        name, weights = section.encoder.name, section.encoder.weights
        if weights != "imagenet":
            raise ValueError(
                "weights of encoders of images are encoder.weights=imagenet, "
                f"or a file. Received: {weights!r}"
            )
        is_application = name.startswith("applications/")
        if name != efficientnet_lite.NAME and not is_application:
            raise ValueError(
                "encoder.weights=imagenet is for encoder.name="
                f"{efficientnet_lite.NAME} or applications/NAME of "
                f"keras.applications. Received: {name!r}"
            )
        if row_shape[-1] != 3:
            raise ValueError(
                "ImageNet weights take 3 channels; set data.channels=3. "
                f"Received: {row_shape[-1]}"
            )
        if is_application:
            shape, dtype = (*preprocessor.size, 3), section.precision
            return adapters.make_encoder(
                name, shape, dtype_policy(dtype), imagenet=True
            )
        model = self.encoder(section, preprocessor, row_shape)
        state = torch_file.load_state(efficientnet_lite.imagenet_file())
        efficientnet_lite.assign_torch_weights(model, state)
        return model

    def preview(self, row) -> np.ndarray:
        row = np.asarray(row)
        reduced_row = resize_whole(row, limited(row.shape, PREVIEW))
        return visible(np.clip(reduced_row, row.min(), row.max()))

    def thumbnail(self, data, side):
        try:
            pixels = decode_image(data, least_side=2 * side)
        except ImageError:
            return None
        side = min(side, *pixels.shape[:2])
        return visible(resize_and_centre_crop(pixels, side))

    def draw_views(self, rows, pair, path) -> None:
        pictures = [[self.preview(row) for row in rows], *pair]
        views_grid(on_canvas(pictures[0]), *pictures[1:], path)


def visible(image):
    """Returns uint8 RGB; stretches deeper pixels, darkest to brightest."""
    low, high = image.min(), image.max()
    floats = image.dtype.kind == "f"
    if image.dtype != np.uint8 and not (floats and 0 <= low <= high <= 1):
        image = (image - np.float32(low)) / max(np.float32(high - low), 1e-6)
    (picture,) = displayable(image[None])
    return np.round(picture * 255).astype(np.uint8)


IMAGE = ImageModality()
