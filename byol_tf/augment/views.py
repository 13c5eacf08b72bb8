"""Recipes that turn a batch of images into views, as Keras layers."""

import logging

import keras
import tensorflow as tf

from byol_tf.augment import ops, sampling

_log = logging.getLogger(__name__)


class _ImageLayer(keras.layers.Layer):
    """A layer without weights that computes in float32 under any policy."""

    def __init__(self, **kwargs):
        kwargs.update(dtype="float32", autocast=False)
        super().__init__(**kwargs)
        self.built = True

    def get_config(self):
        config = super().get_config()
        config.pop("dtype", None)
        return config


@keras.saving.register_keras_serializable("byol_tf")
class View(_ImageLayer):
    """One random view of every image of a batch.

    In this order: crop, resize and flip; rotation; colour jitter, its four
    operations in random order; grayscale; blur; solarise. Every image has
    draws of its own. An operation that cannot happen costs nothing. The
    defaults are those of the first view in BYOL, appendix B.

    `view(images, seed=seed)` with a seed of int32 `[2]` depends on nothing
    else; without a seed, every call draws anew from the layer's own.

    Args:
        size: height and width of the view, one number for both, or None for
            the size of the image.
        area: range of the crop's share of the image, in (0, 1].
        aspect: range of the crop's width by height.
        resize: "bicubic" or "bilinear".
        flip: probability of mirroring left and right.
        jitter: probability of the colour jitter.
        brightness: at most added or taken away, in [0, 1].
        contrast: the contrast changes by a factor in 1 ± this, in [0, 1].
        saturation: likewise the saturation, in [0, 1].
        hue: at most added to the hue or taken away, turns in [0, 0.5].
        grayscale: probability of dropping the colours.
        blur: probability of the Gaussian blur.
        blur_sigma: range of its standard deviation, pixels.
        blur_divider: the height of the view divided by the kernel's length.
        solarize: probability of inverting the bright pixels.
        solarize_threshold: the darkest bright pixel, in [0, 1].
        rotate: degrees at most to either side; 0 for no rotation.
        seed: of the draws of calls without a seed.

    Input: uint8, or float in [0, 1], `[batch, height, width, channels]`. With
    other than 3 channels, saturation, hue and grayscale are left out, and a
    warning says so once.

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
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.size = _check_size(size)
        self.area = _check_range("area", area, 0.0, 1.0)
        self.aspect = _check_range("aspect", aspect, 0.0)
        self.resize = _check_method(resize)
        self.flip = _check("flip", flip, 0.0, 1.0)
        self.jitter = _check("jitter", jitter, 0.0, 1.0)
        self.brightness = _check("brightness", brightness, 0.0, 1.0)
        self.contrast = _check("contrast", contrast, 0.0, 1.0)
        self.saturation = _check("saturation", saturation, 0.0, 1.0)
        self.hue = _check("hue", hue, 0.0, 0.5)
        self.grayscale = _check("grayscale", grayscale, 0.0, 1.0)
        self.blur = _check("blur", blur, 0.0, 1.0)
        self.blur_sigma = _check_range("blur_sigma", blur_sigma, 0.0)
        self.blur_divider = _check("blur_divider", blur_divider, 1.0)
        self.solarize = _check("solarize", solarize, 0.0, 1.0)
        self.solarize_threshold = _check(
            "solarize_threshold", solarize_threshold, 0.0, 1.0
        )
        self.rotate = _check("rotate", rotate, 0.0, 180.0)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._warned = False

    def call(self, images, seed=None):
        _warn_of_channels(self, [self], images.shape[-1])
        if seed is None:
            seed = _next_seed(self.seed_generator)
        return self.draw(images, seed)

    def draw(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The view as a pure function of the images and the seed."""
        # A seed for every operation, whether there or not: switching one off
        # leaves the draws of the others as they are.
        seeds = iter(tf.unstack(sampling.split(seed, 7)))
        images = _to_float(images)
        images = self._crop(images, next(seeds))
        images = self._rotate(images, next(seeds))
        images = self._jitter(images, next(seeds))
        images = self._grayscale(images, next(seeds))
        images = self._blur(images, next(seeds))
        images = self._solarize(images, next(seeds))
        return tf.clip_by_value(images, 0.0, 1.0)

    def _crop(self, images, seed):
        _, height, width, _ = ops.sizes(images)
        size = self.size or _known_size(images)
        whole = self.area == self.aspect == (1.0, 1.0) and height == width
        if whole and not self.flip and size == (height, width):
            return images
        batch = tf.shape(images)[0]
        seeds = sampling.split(seed, 2)
        box = sampling.crop_boxes(
            seeds[0], batch, height, width, self.area, self.aspect
        )
        flip = None
        if self.flip:
            flip = sampling.bernoulli(seeds[1], [batch], self.flip)
        return ops.crop_and_resize(images, *box, size, flip, self.resize)

    def _rotate(self, images, seed):
        if not self.rotate:
            return images
        # Mirrored at the border: black corners would tell the angle.
        angle = self._draw(images, seed, -self.rotate, self.rotate)
        return ops.rotate(images, angle, fill="reflect")

    def _jitter(self, images, seed):
        rgb = images.shape[-1] == 3
        strengths = [self.brightness, self.contrast]
        strengths += [self.saturation, self.hue] if rgb else [0.0, 0.0]
        if not self.jitter or not any(strengths):
            return images
        seeds = sampling.split(seed, 6)
        batch = tf.shape(images)[0]
        done = sampling.bernoulli(seeds[0], [batch], self.jitter)
        parameters = []
        for seed, strength, neutral in zip(
            tf.unstack(seeds)[1:5], strengths, (0.0, 1.0, 1.0, 0.0), strict=True
        ):
            drawn = self._draw(
                images, seed, neutral - strength, neutral + strength
            )
            parameters.append(tf.where(done, drawn, neutral))
        if not strengths[2] and not strengths[3]:
            parameters[2:] = None, None
        order = sampling.permutations(seeds[5], batch, 4)
        return ops.color_jitter(images, *parameters, order)

    def _grayscale(self, images, seed):
        if not self.grayscale or images.shape[-1] != 3:
            return images
        done = self._happens(images, seed, self.grayscale)
        return tf.where(
            done[:, None, None, None], ops.to_grayscale(images), images
        )

    def _blur(self, images, seed):
        kernel_size = ops.sizes(images)[1] / self.blur_divider
        if not self.blur or kernel_size < 2.0:
            return images
        seeds = sampling.split(seed, 2)
        sigma = self._draw(images, seeds[0], *self.blur_sigma)
        done = self._happens(images, seeds[1], self.blur)
        sigma = tf.where(done, sigma, 0.0)
        return ops.gaussian_blur(images, sigma, kernel_size)

    def _solarize(self, images, seed):
        if not self.solarize:
            return images
        done = self._happens(images, seed, self.solarize)
        # No pixel reaches 2.
        threshold = tf.where(done, self.solarize_threshold, 2.0)
        return ops.solarize(images, threshold)

    def _draw(self, images, seed, low, high):
        return sampling.uniform(seed, tf.shape(images)[:1], low, high)

    def _happens(self, images, seed, probability):
        return sampling.bernoulli(seed, tf.shape(images)[:1], probability)

    def rgb_operations(self) -> list[str]:
        """Names of the operations that need red, green and blue."""
        names = ["saturation", "hue"] if self.jitter else []
        names = [name for name in names if getattr(self, name)]
        return names + (["grayscale"] if self.grayscale else [])

    def compute_output_shape(self, images_shape, seed_shape=None):
        size = self.size or tuple(images_shape[1:3])
        return (images_shape[0], *size, images_shape[3])

    def get_config(self):
        config = super().get_config()
        for key in _VIEW_ARGUMENTS:
            config[key] = getattr(self, key)
        return config


_VIEW_ARGUMENTS = (
    "size",
    "area",
    "aspect",
    "resize",
    "flip",
    "jitter",
    "brightness",
    "contrast",
    "saturation",
    "hue",
    "grayscale",
    "blur",
    "blur_sigma",
    "blur_divider",
    "solarize",
    "solarize_threshold",
    "rotate",
    "seed",
)


@keras.saving.register_keras_serializable("byol_tf")
class TwoViews(_ImageLayer):
    """The two views of BYOL, drawn independently.

    Args:
        view1: recipe of the first view; None for the paper's.
        view2: recipe of the second; None for the paper's, with blur in one of
            ten images and solarisation in one of five.
        jit_compile: compile with XLA, also where the surrounding function is
            not compiled: on a CPU that makes the views two to four times
            faster. The draws are the same either way.
        seed: of the draws of calls without a seed.

    `views(images, seed=seed)` returns `(view1, view2)`; images, seed and
    results as in `View`.

    Reference: BYOL, appendix B, table 6.
    """

    def __init__(
        self, view1=None, view2=None, *, jit_compile=True, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.view1 = View() if view1 is None else view1
        self.view2 = View(**_SECOND) if view2 is None else view2
        self.jit_compile = bool(jit_compile)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._warned = False
        self._drawn = self._draw
        if self.jit_compile:
            self._drawn = tf.function(self._draw, jit_compile=True)

    @classmethod
    def byol(cls, size=None, *, jit_compile=True, seed=None, **overrides):
        """The paper's pair with the same changes to both recipes.

        Args:
            size: as in `View`.
            jit_compile: as in `TwoViews`.
            seed: as in `TwoViews`.
            **overrides: other arguments of `View`; a pair `(first, second)`
                for `blur` and `solarize` where the two differ.
        """
        first = {"blur": 1.0, "solarize": 0.0, **overrides}
        second = {**_SECOND, **overrides}
        for key in ("blur", "solarize"):
            if isinstance(overrides.get(key), (tuple, list)):
                first[key], second[key] = overrides[key]
        return cls(
            View(size, **first),
            View(size, **second),
            jit_compile=jit_compile,
            seed=seed,
        )

    def call(self, images, seed=None):
        views = [self.view1, self.view2]
        _warn_of_channels(self, views, images.shape[-1])
        if seed is None:
            seed = _next_seed(self.seed_generator)
        return self._drawn(images, seed)

    def _draw(self, images, seed):
        seeds = sampling.split(seed, 2)
        images = _to_float(images)
        return (
            self.view1.draw(images, seeds[0]),
            self.view2.draw(images, seeds[1]),
        )

    def compute_output_shape(self, images_shape, seed_shape=None):
        return tuple(
            view.compute_output_shape(images_shape)
            for view in (self.view1, self.view2)
        )

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "view1": serialize(self.view1),
            "view2": serialize(self.view2),
            "jit_compile": self.jit_compile,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for key in ("view1", "view2"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)


_SECOND = {"blur": 0.1, "solarize": 0.2}


@keras.saving.register_keras_serializable("byol_tf")
class CentreView(_ImageLayer):
    """What an encoder is evaluated on: the centre of the image, resized.

    The largest centred crop of the size's proportions is resized, which is
    the same as scaling the shorter side and cutting the centre out.

    Args:
        size: height and width of the result, or one number for both.
        crop_fraction: share of that crop's side that is kept, in (0, 1];
            224 / 256 in the official ImageNet evaluation.
        resize: "bicubic" or "bilinear".

    Input: uint8, or float in [0, 1], `[batch, height, width, channels]`.

    Output: float32 `[batch, *size, channels]` in [0, 1].
    """

    def __init__(self, size, crop_fraction=1.0, resize="bicubic", **kwargs):
        super().__init__(**kwargs)
        if size is None:
            raise ValueError(
                "`size` must be a positive number of pixels or a pair of "
                "them. Received: size=None"
            )
        self.size = _check_size(size)
        self.crop_fraction = _check_range(
            "crop_fraction", (crop_fraction, crop_fraction), 0.0, 1.0
        )[0]
        self.resize = _check_method(resize)

    def call(self, images):
        images = _to_float(images)
        batch, height, width, _ = ops.sizes(images)
        if self.crop_fraction == 1.0 and (height, width) == self.size:
            return images
        height = tf.cast(height, tf.float32)
        width = tf.cast(width, tf.float32)
        scale = tf.minimum(height / self.size[0], width / self.size[1])
        scale *= self.crop_fraction

        def box(length, size):
            side = tf.clip_by_value(tf.round(scale * size), 1.0, length)
            start = tf.floor((length - side) / 2.0)
            return tf.fill([batch], start), tf.fill([batch], side)

        top, rows = box(height, self.size[0])
        left, columns = box(width, self.size[1])
        return ops.crop_and_resize(
            images, top, left, rows, columns, self.size, method=self.resize
        )

    def compute_output_shape(self, images_shape):
        return (images_shape[0], *self.size, images_shape[3])

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "crop_fraction": self.crop_fraction,
            "resize": self.resize,
        }


def _to_float(images):
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    return tf.cast(images, tf.float32)


def _next_seed(generator):
    return tf.bitcast(tf.cast(generator.next(), tf.uint32), tf.int32)


def _known_size(images):
    size = tuple(images.shape[1:3])
    if None in size:
        raise ValueError(
            "`size` must be given where the height or the width of the images "
            f"is not known in advance. Received images of shape {images.shape}"
        )
    return size


def _warn_of_channels(layer, views, channels):
    if channels == 3 or layer._warned:
        return
    names = dict.fromkeys(n for view in views for n in view.rgb_operations())
    if names:
        _log.warning(
            "Images with %s channels: %s switched off, which need red, green "
            "and blue.",
            channels,
            ", ".join(names),
        )
    layer._warned = True


# ---- arguments --------------------------------------------------------


def _check(name, value, low, high=float("inf")):
    if not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(
            f"`{name}` must be a number in [{low}, {high}]. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def _check_range(name, value, above, high=float("inf")):
    try:
        low, top = map(float, value)
    except (TypeError, ValueError):
        low = top = float("nan")
    if not above < low <= top <= high:
        raise ValueError(
            f"`{name}` must be a pair (low, high) with {above} < low <= high "
            f"<= {high}. Received: {name}={value!r}"
        )
    return (low, top)


def _check_size(size):
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else size
    try:
        height, width = pair
        valid = height >= 1 and width >= 1
        valid = valid and int(height) == height and int(width) == width
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "`size` must be a positive number of pixels or a pair of them. "
            f"Received: size={size!r}"
        )
    return (int(height), int(width))


def _check_method(resize):
    if resize not in ("bicubic", "bilinear"):
        raise ValueError(
            "`resize` must be 'bicubic' or 'bilinear'. "
            f"Received: resize={resize!r}"
        )
    return resize
