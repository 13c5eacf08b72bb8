"""The two views of BYOL as a Keras layer, and the package's other layers."""

import math

import keras
import numpy as np
import tensorflow as tf

from byol_tf.modalities.image import sampling
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.changes import warn_of_channels
from byol_tf.modalities.image.layer import ImageLayer, check_images
from byol_tf.modalities.image.resize import Levels
from byol_tf.modalities.image.view import View, next_seed
from byol_tf.runtime import has_accelerator

__all__ = ["CentreView", "TwoViews", "View"]

# Where the paper's second view differs from the first.
_SECOND_VIEW = {"blur": 0.1, "solarize": 0.2}
_LARGE = 112  # side in pixels
_AT_A_TIME = 64  # more than a machine has cores


@keras.saving.register_keras_serializable("byol_tf")
class TwoViews(ImageLayer):
    """Draws the two views of BYOL, independently of each other.

    `views(images, seed=seed)` returns `(view1, view2)`. See `View` for images,
    seed and results.

    Args:
        view1: a `View` for the first view; None: the paper's.
        view2: a `View` for the second view; None: the paper's, which blurs one
            image in ten and solarises one in five.
        jit_compile: whether to compile with XLA, whatever the calling function
            does. On a CPU this is several times faster. The views are the same.
        one_by_one: process one image per core at a time instead of the whole
            batch op by op. Each image then skips ops that are not drawn for it,
            and stays in the cache. "auto": on a CPU for views of 112 pixels and
            more. The views are the same.
        seed: seed for calls without a seed.

    Reference: BYOL, appendix B, table 6.
    """

    def __init__(
        self,
        view1=None,
        view2=None,
        *,
        jit_compile=True,
        one_by_one="auto",
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.view1 = View() if view1 is None else view1
        self.view2 = View(**_SECOND_VIEW) if view2 is None else view2
        for name in ("view1", "view2"):
            view = getattr(self, name)
            if not isinstance(view, View):
                raise ValueError(
                    f"`{name}` must be a `View`. Received: {name}={view!r}"
                )
        self.jit_compile = bool(jit_compile)
        if one_by_one not in (True, False, "auto"):
            raise ValueError(
                "`one_by_one` must be True, False or 'auto'. "
                f"Received: one_by_one={one_by_one!r}"
            )
        self.one_by_one = one_by_one
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.warned = False
        pieces = (self._draw, self._transform, self._change_all)
        pieces += (self.view1.draw_with_where, self.view2.draw_with_where)
        if self.jit_compile:
            pieces = (
                tf.function(each, jit_compile=True, autograph=False)
                for each in pieces
            )
        self._batch, self._one, self._change, *self._placed = pieces
        self._each = tf.function(self._draw_each, autograph=False)

    @classmethod
    def byol(cls, size=None, **options):
        """Makes the paper's pair, with the same changes to both views.

        Args:
            size: as in `View`.
            **options: `jit_compile`, `one_by_one` and `seed` as in `TwoViews`,
                and other arguments of `View`; `blur` and `solarize` may be
                pairs, for the first and the second view.
        """
        keys = options.keys() & {"jit_compile", "one_by_one", "seed"}
        layer_options = {key: options.pop(key) for key in keys}
        first, second = dict(options), {**_SECOND_VIEW, **options}
        for key in ("blur", "solarize"):
            if isinstance(options.get(key), (tuple, list)):
                first[key], second[key] = options[key]
        return cls(View(size, **first), View(size, **second), **layer_options)

    def call(self, images, seed=None):
        """Draws both views of images `[batch, height, width, channels]`.

        Args:
            images: uint8, uint16 or float in [0, 1]; or two such batches of
                crops, of which colour and blur are still to be changed.
            seed: int32 `[2]`; None draws another one at each call.

        Returns:
            Two float32 batches `[batch, size, size, channels]` in [0, 1].
        """
        first = images[0] if isinstance(images, tuple | list) else images
        warn_of_channels(self, [self.view1, self.view2], first)
        if seed is None:
            seed = next_seed(self.seed_generator)
        if isinstance(images, tuple | list):
            return self._change(tuple(map(check_images, images)), seed)
        images = self.check(images)
        draw = self._each if self._is_one_by_one(images) else self._batch
        return draw(images, seed)

    def draw_with_where(self, images: tf.Tensor, seed: tf.Tensor) -> tuple:
        """Draws both views, each as a pair: the view, and its place.

        Args:
            images: as in a call, of one size.
            seed: int32 `[2]`; not the same views as in a call.

        Returns:
            Two pairs, see `View.draw_with_where`.

        Raises:
            ValueError: if the images have several sizes.
        """
        if isinstance(images, tuple | list):
            raise ValueError(
                "places of views need images of one size; set "
                "data.image_size to store them as squares"
            )
        seeds = tf.unstack(sampling.split(seed, 2))
        pairs = zip(self._placed, seeds, strict=True)
        return tuple(draw(images, view_seed) for draw, view_seed in pairs)

    def check(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the images `[batch, height, width, channels]` as a tensor.

        Raises a ValueError for others. Values cannot be checked inside a graph,
        so `fit` calls this beforehand.
        """
        return check_images(images, self.view1.window)

    def numbers(self, seed: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
        """Draws all random numbers of both views, float32 `[count, k]`."""
        return tf.concat(_numbers(count, seed), axis=1)

    def cut(self, image: tf.Tensor, numbers: tf.Tensor) -> tuple:
        """Cuts both views' crops out of one image of any size.

        `views(crops, seed=seed)` does the rest for a batch of crops. Crops are
        resized with Pillow's filter, which averages pixels when shrinking. In a
        batch of one size they are interpolated instead, as in the official
        code.

        Args:
            image: uint8, uint16 or float `[height, width, channels]`.
            numbers: float32 `[k]`, the image's row of `numbers(seed, count)`.

        Returns:
            Two tensors `[*size, channels]`, see `View.cut`.
        """
        first, second = tf.split(numbers, 2)
        return self.view1.cut(image, first), self.view2.cut(image, second)

    def cut_array(
        self, image: np.ndarray | Levels, numbers: np.ndarray
    ) -> tuple:
        """Does the same as `cut` without TensorFlow, with the same shapes."""
        first, second = numbers.reshape(2, -1)
        return (
            self.view1.cut_array(image, first),
            self.view2.cut_array(image, second),
        )

    def least_side(self, numbers: np.ndarray, height: int, width: int) -> int:
        """Returns the shorter side in pixels to which an image may be reduced.

        Each crop is then still twice as large as its view. A crop may move by
        one pixel of the smaller image, which is half a pixel of the view.

        Args:
            numbers: float32 `[k]`, as for `cut`.
            height: height of the image in pixels.
            width: width of the image in pixels.
        """
        pairs = zip(
            (self.view1, self.view2), numbers.reshape(2, -1), strict=True
        )
        scale = min(
            view.shrinks(view_numbers, height, width)
            for view, view_numbers in pairs
        )
        return max(1, math.ceil(min(height, width) / max(scale, 1.0)))

    def _is_one_by_one(self, images):
        if self.one_by_one != "auto":
            return self.one_by_one
        shapes = self.compute_output_shape(images.shape)
        sides = [side for shape in shapes for side in shape[1:3]]
        is_large = None not in sides and min(sides) >= _LARGE
        return is_large and not has_accelerator()

    def _draw(self, images, seed):
        return self._transform(images, *_numbers(tf.shape(images)[0], seed))

    def _change_all(self, crops, seed):
        numbers1, numbers2 = _numbers(tf.shape(crops[0])[0], seed)
        first, second = crops
        return self.view1.change(first, numbers1), self.view2.change(
            second, numbers2
        )

    def _draw_each(self, images, seed):
        shapes = self.compute_output_shape(images.shape)
        specs = [tf.TensorSpec(shape[1:], tf.float32) for shape in shapes]
        return tf.map_fn(
            lambda row: [v[0] for v in self._one(*(x[None] for x in row))],
            (images, *_numbers(tf.shape(images)[0], seed)),
            fn_output_signature=specs,
            parallel_iterations=_AT_A_TIME,
        )

    def _transform(self, images, numbers1, numbers2):
        transform = self.view1.transform, self.view2.transform
        return transform[0](images, numbers1), transform[1](images, numbers2)

    def compute_output_shape(self, images_shape, seed_shape=None):
        """Returns the shapes of both views."""
        shape = self.view1.compute_output_shape(images_shape)
        return shape, self.view2.compute_output_shape(images_shape)

    def get_config(self):
        config = super().get_config()
        for key in ("view1", "view2"):
            view = getattr(self, key)
            config[key] = keras.saving.serialize_keras_object(view)
        keys = ("jit_compile", "one_by_one", "seed")
        return config | {key: getattr(self, key) for key in keys}

    @classmethod
    def from_config(cls, config):
        views = {
            key: keras.saving.deserialize_keras_object(config[key])
            for key in ("view1", "view2")
        }
        return cls(**{**config, **views})


def _numbers(count, seed):
    """Draws the random numbers of both views."""
    return [
        sampling.random_numbers(count, each)
        for each in tf.unstack(sampling.split(seed, 2))
    ]
