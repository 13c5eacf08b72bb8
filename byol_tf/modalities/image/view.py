"""One random view of each image of a batch, as a Keras layer."""

import math

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_choice, check_number, check_range
from byol_tf.modalities.image import changes, geometry, sampling
from byol_tf.modalities.image.decode import OVERSAMPLING
from byol_tf.modalities.image.layer import (
    ImageLayer,
    Window,
    check_images,
    check_size,
    check_window,
    to_float,
)
from byol_tf.modalities.image.resize import Levels, resize_box

_RECIPE = (
    *("size", "area", "aspect", "resize", "flip", "jitter", "brightness"),
    *("contrast", "saturation", "hue", "grayscale", "blur", "blur_sigma"),
    *("blur_divider", "solarize", "solarize_threshold", "rotate", "seed"),
)

_LATER_OPTIONS = ("turn", "flip_vertical")


@keras.saving.register_keras_serializable("byol_tf")
class View(ImageLayer):
    """Draws one random view of each image of a batch.

    The order is: crop, resize and flip; turn; rotation; colour jitter, its 4
    operations in random order; grayscale; blur; solarise. Each image has its
    own random numbers. An operation with probability 0 costs nothing. The
    defaults are those of the first view in BYOL, appendix B.

    `view(images, seed=seed)` with an int32 `[2]` seed is deterministic. Without
    a seed, every call takes a new one from the layer.

    Args:
        size: height and width of the view in pixels, one number for both; None:
            that of the images.
        area: range of the crop's share of the image, in (0, 1].
        aspect: range of the crop's width / height.
        resize: "bicubic" or "bilinear".
        flip: probability of a horizontal flip.
        jitter: probability of the colour jitter.
        brightness: largest brightness added or subtracted, in [0, 1].
        contrast: contrast is scaled by up to 1 ± this, in [0, 1].
        saturation: saturation is scaled by up to 1 ± this, in [0, 1].
        hue: largest hue added or subtracted, in turns in [0, 0.5].
        grayscale: probability of converting to gray.
        blur: probability of the Gaussian blur.
        blur_sigma: range of its standard deviation in pixels.
        blur_divider: height of the view / length of the kernel.
        solarize: probability of inverting the bright pixels.
        solarize_threshold: pixels from this value on are bright, in [0, 1].
        rotate: largest rotation in degrees to either side; 0: off.
        turn: probability of a turn by 0, 90, 180 or 270 degrees, all equally
            likely; for square views.
        flip_vertical: probability of a vertical flip.
        window: black and white values of images that are not uint8, see
            `layer.to_float`; None: the whole range.
        seed: seed for calls without a seed.

    Input: uint8, uint16, or float in [0, 1], `[batch, height, width,
        channels]`.
    Unless there are 3 channels, saturation, hue and grayscale are left out,
    with one warning.

    Output: float32 `[batch, *size, channels]` in [0, 1].
    """

    def __init__(
        self,
        size=None,
        *,
        area=(0.08, 1.0),
        aspect=(3 / 4, 4 / 3),
        resize="bicubic",
        flip=0.5,
        jitter=0.8,
        brightness=0.4,
        contrast=0.4,
        saturation=0.2,
        hue=0.1,
        grayscale=0.2,
        blur=1.0,
        blur_sigma=(0.1, 2.0),
        blur_divider=10.0,
        solarize=0.0,
        solarize_threshold=0.5,
        rotate=0.0,
        turn=0.0,
        flip_vertical=0.0,
        window=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.size = None if size is None else check_size(size)
        self.area = check_range("area", area, 0.0, 1.0)
        self.aspect = check_range("aspect", aspect, 0.0)
        self.resize = check_choice("resize", resize, geometry.METHODS)
        self.flip = check_number("flip", flip, 0.0, 1.0)
        self.jitter = check_number("jitter", jitter, 0.0, 1.0)
        self.brightness = check_number("brightness", brightness, 0.0, 1.0)
        self.contrast = check_number("contrast", contrast, 0.0, 1.0)
        self.saturation = check_number("saturation", saturation, 0.0, 1.0)
        self.hue = check_number("hue", hue, 0.0, 0.5)
        self.grayscale = check_number("grayscale", grayscale, 0.0, 1.0)
        self.blur = check_number("blur", blur, 0.0, 1.0)
        self.blur_sigma = check_range("blur_sigma", blur_sigma, 0.0)
        self.blur_divider = check_number("blur_divider", blur_divider, 1.0)
        self.solarize = check_number("solarize", solarize, 0.0, 1.0)
        self.solarize_threshold = check_number(
            "solarize_threshold", solarize_threshold, 0.0, 1.0
        )
        self.rotate = check_number("rotate", rotate, 0.0, 180.0)
        self.turn = check_number("turn", turn, 0.0, 1.0)
        self.flip_vertical = check_number(
            "flip_vertical", flip_vertical, 0.0, 1.0
        )
        self.window = check_window(window)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.warned = False

    def call(self, images, seed=None):
        """Draws a view of each image by `seed`, int32 `[2]`; None draws one."""
        changes.warn_of_channels(self, [self], images)
        if seed is None:
            seed = next_seed(self.seed_generator)
        return self.draw(images, seed)

    def draw(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draws the view as a pure function of images and seed."""
        count = tf.shape(_sizes(images, self.window)[0])[0]
        return self.transform(images, sampling.random_numbers(count, seed))

    def draw_with_where(
        self, images: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Draws the same view, and returns its place in the image.

        Returns:
            The view, and a dict of `box`, float32 `[batch, 4]`: top, left,
            height and width of the crop as fractions of the image's height and
            width; `flip`, bool `[batch]`: whether it is flipped; and with
            `rotate` `angle`, float32 `[batch]`: rotation of the flipped crop
            about its centre, in degrees counter-clockwise.

        Raises:
            ValueError: if the view is turned by quarters or flipped vertically,
                or rotated and not square.
        """
        for name in _LATER_OPTIONS:
            if getattr(self, name):
                raise ValueError(
                    "nothing that needs places in a view, such as boxes or "
                    f"dense_byol, can follow {name}; set {name}=0. "
                    f"Received: {name}={getattr(self, name)}"
                )
        pixels, height, width = _sizes(images, self.window)
        numbers = sampling.random_numbers(tf.shape(pixels)[0], seed)
        draws = sampling.by_name(numbers)
        box = tf.stack(self._box(draws["box"], height, width), axis=-1)
        sides = tf.cast(tf.stack([height, width] * 2, axis=-1), tf.float32)
        where = {"box": box / sides, "flip": draws["flip"] < self.flip}
        views = self.transform(images, numbers)
        if self.rotate:
            if views.shape[1] != views.shape[2]:
                raise ValueError(
                    "targets can follow `rotate` only in square views. "
                    f"Received: {views.shape[1]}x{views.shape[2]} pixels"
                )
            where["angle"] = changes.angle(self, draws)
        return views, where

    def transform(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Makes the view for given random numbers.

        Args:
            images: as in a call, or images of several sizes as for
                `CentreView`.
            numbers: a row of `sampling.random_numbers` per image.
        """
        draws = sampling.by_name(numbers)
        return changes.change(self, self._crop(images, draws), draws)

    def cut(self, image: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Cuts the crop of a view out of one image of any size.

        Args:
            image: uint8, uint16 or float `[height, width, channels]`.
            numbers: float32 `[n]`, the image's row of
                `sampling.random_numbers`.

        Returns:
            `[*size, channels]`, uint8 for uint8, else float32 in [0, 1]; not
            flipped yet, see `change`.

        Raises:
            ValueError: if the view has no `size`.
        """
        if self.size is None:
            raise ValueError("`size` must be given for images of any size")
        if image.dtype != tf.uint8:
            fraction = sampling.by_name(numbers[None])["box"]
            box = self._box(fraction, *tf.unstack(tf.shape(image))[:2])
            image = to_float(image[None], self.window)
            crops = (image, *box, self.size, None, self.resize)
            return geometry.crop_and_resize(*crops)[0]

        crop = tf.numpy_function(
            self.cut_array, [image, numbers], tf.uint8, stateful=False
        )
        return tf.ensure_shape(crop, (*self.size, image.shape[-1]))

    def cut_array(
        self, image: np.ndarray | Levels, numbers: np.ndarray
    ) -> np.ndarray:
        """Does the same as `cut` for a uint8 array, or the levels of an image.

        Works without TensorFlow. Of several levels, it cuts the smallest one in
        which the crop is as large as the view.
        """
        if not isinstance(image, Levels):
            image = Levels([image], image.shape[:2])
        ranges = self.area, self.aspect
        box = sampling.box(numbers[:4], *image.size, *ranges)
        return resize_box(
            *image.smallest(box, self.size), self.size, self.resize
        )

    def kept_side(self) -> int:
        """Returns the shorter side in pixels that the smallest crop needs."""
        narrow = min(self.aspect[0], 1 / self.aspect[1])
        share = math.sqrt(self.area[0] * narrow)
        return math.ceil(max(self.size) / share)

    def shrinks(self, numbers: np.ndarray, height: int, width: int) -> float:
        """Returns the factor by which an image may shrink for this crop.

        At this factor its crop is two views wide.

        Args:
            numbers: float32 `[n]`, as for `cut`; the box comes first.
            height: height of the image in pixels.
            width: width of the image in pixels.
        """
        if self.size is None:  # `cut` raises the error
            return 1.0
        box = sampling.box(numbers[:4], height, width, self.area, self.aspect)
        return min(np.divide(box[2:], self.size)) / OVERSAMPLING

    def change(self, crops: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Applies the rest of a view to crops: flips, colours and blur.

        Args:
            crops: results of `cut`, `[batch, *size, channels]`.
            numbers: a row of `sampling.random_numbers` per crop.
        """
        crops, draws = to_float(crops), sampling.by_name(numbers)
        if self.flip:
            flip = (draws["flip"] < self.flip)[:, None, None, None]
            crops = tf.where(flip, tf.reverse(crops, [2]), crops)
        return changes.change(self, crops, draws)

    def _crop(self, images, draws):
        several_sizes = isinstance(images, dict)
        images, height, width = _sizes(images, self.window)
        if images.dtype != tf.uint8:
            images = to_float(images, self.window)
        shape = (None, None) if several_sizes else tuple(images.shape[1:3])
        size = self.size or shape
        if None in size:
            raise ValueError(
                "`size` must be given for images whose height or width is not "
                f"known in advance. Received shape: {images.shape}"
            )
        square = size == shape and size[0] == size[1]
        is_whole = square and self.area == self.aspect == (1.0, 1.0)
        if is_whole and not self.flip:
            return to_float(images)
        box = self._box(draws["box"], height, width)
        flip = draws["flip"] < self.flip if self.flip else None
        return geometry.crop_and_resize(images, *box, size, flip, self.resize)

    def _box(self, draws, height, width):
        return sampling.boxes(draws, height, width, self.area, self.aspect)

    def compute_output_shape(self, images_shape, seed_shape=None):
        """Returns the shape of the view."""
        size = self.size or tuple(images_shape[1:3])
        return (images_shape[0], *size, images_shape[3])

    def get_config(self):
        # Earlier releases do not know the later options.
        later = [
            key for key in (*_LATER_OPTIONS, "window") if getattr(self, key)
        ]
        keys = (*_RECIPE, *later)
        return super().get_config() | {key: getattr(self, key) for key in keys}


def _sizes(images, window: Window | None):
    """Returns the pixels of a batch, and one size or each image's own."""
    if isinstance(images, dict):
        height, width = tf.unstack(images["length"], axis=1)
        return check_images(images["image"], window), height, width
    images = check_images(images, window)
    return images, *geometry.sizes(images)[1:3]


def next_seed(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """Returns the generator's next seed, int32 `[2]`."""
    return tf.bitcast(tf.cast(generator.next(), tf.uint32), tf.int32)
