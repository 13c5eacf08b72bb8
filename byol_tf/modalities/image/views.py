"""The two views of BYOL as a Keras layer, and the package's other layers."""

import keras
import tensorflow as tf

from byol_tf.modalities.image import sampling
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.layer import ImageLayer, check_images
from byol_tf.modalities.image.view import (
    View,
    next_seed,
    random_numbers,
    warn_of_channels,
)
from byol_tf.runtime import has_accelerator

__all__ = ["CentreView", "TwoViews", "View"]

# What the paper's second view has of its own.
_SECOND = {"blur": 0.1, "solarize": 0.2}
_LARGE = 112  # pixels of a side
_AT_A_TIME = 64  # more than a machine has cores


@keras.saving.register_keras_serializable("byol_tf")
class TwoViews(ImageLayer):
    """The two views of BYOL, drawn independently.

    `views(images, seed=seed)` returns `(view1, view2)`; images, seed and
    results as in `View`.

    Args:
        view1: recipe of the first view; None for the paper's.
        view2: recipe of the second view; None for the paper's, which blurs
            one image in ten and solarises one in five.
        jit_compile: compile with XLA whatever the surrounding function does:
            on a CPU that makes the views several times faster. The draws are
            the same either way.
        one_by_one: one image after the other on every core, instead of the
            whole batch in every operation: an image then skips what is not
            drawn for it, and stays in the cache meanwhile. "auto" does so on a
            CPU with views of 112 pixels and more. The views are the same.
        seed: of the draws of calls without a seed.

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
        self.view2 = View(**_SECOND) if view2 is None else view2
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
        if self.jit_compile:
            pieces = (
                tf.function(each, jit_compile=True, autograph=False)
                for each in pieces
            )
        self._batch, self._one, self._change = pieces
        self._each = tf.function(self._draw_each, autograph=False)

    @classmethod
    def byol(
        cls,
        size=None,
        *,
        jit_compile=True,
        one_by_one="auto",
        seed=None,
        **overrides,
    ):
        """The paper's pair, with the same changes to both recipes.

        Args:
            size: as in `View`.
            jit_compile: as in `TwoViews`.
            one_by_one: as in `TwoViews`.
            seed: as in `TwoViews`.
            **overrides: other arguments of `View`; `blur` and `solarize` may
                be a pair, of the first and of the second view.
        """
        first, second = dict(overrides), {**_SECOND, **overrides}
        for key in ("blur", "solarize"):
            if isinstance(overrides.get(key), (tuple, list)):
                first[key], second[key] = overrides[key]
        return cls(
            View(size, **first),
            View(size, **second),
            jit_compile=jit_compile,
            one_by_one=one_by_one,
            seed=seed,
        )

    def call(self, images, seed=None):
        first = images[0] if isinstance(images, tuple | list) else images
        warn_of_channels(self, [self.view1, self.view2], first)
        if seed is None:
            seed = next_seed(self.seed_generator)
        if isinstance(images, tuple | list):
            return self._change(tuple(map(check_images, images)), seed)
        images = check_images(images)
        draw = self._each if self._is_one_by_one(images) else self._batch
        return draw(images, seed)

    def numbers(self, seed: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
        """Draws all random numbers of both views, float32 `[count, k]`."""
        return tf.concat(_numbers(count, seed), axis=1)

    def cut(self, image: tf.Tensor, numbers: tf.Tensor) -> tuple:
        """Cuts both views' crops out of one image of any size.

        `views(crops, seed=seed)` of a batch of them does the rest. Crops are
        resized with Pillow's filter, which averages pixels where a crop
        shrinks; in a batch of one size they are interpolated, as in the
        official code.

        Args:
            image: uint8 or float `[height, width, channels]`.
            numbers: float32 `[k]`, its row of `numbers(seed, count)`.

        Returns:
            Two tensors `[*size, channels]`, see `View.cut`.
        """
        views = (self.view1, self.view2)
        parts = zip(views, tf.split(numbers, 2), strict=True)
        return tuple(view.cut(image, part) for view, part in parts)

    def _is_one_by_one(self, images):
        if self.one_by_one != "auto":
            return self.one_by_one
        shapes = self.compute_output_shape(images.shape)
        sides = [side for shape in shapes for side in shape[1:3]]
        return (
            None not in sides
            and min(sides) >= _LARGE
            and not (has_accelerator())
        )

    def _draw(self, images, seed):
        return self._transform(images, *_numbers(tf.shape(images)[0], seed))

    def _change_all(self, crops, seed):
        views = (self.view1, self.view2)
        numbers = _numbers(tf.shape(crops[0])[0], seed)
        return tuple(
            view.change(*parts)
            for view, *parts in zip(views, crops, numbers, strict=True)
        )

    def _draw_each(self, images, seed):
        shapes = self.compute_output_shape(images.shape)
        return tf.map_fn(
            lambda row: [v[0] for v in self._one(*(x[None] for x in row))],
            (images, *_numbers(tf.shape(images)[0], seed)),
            fn_output_signature=[
                tf.TensorSpec(shape[1:], tf.float32) for shape in shapes
            ],
            parallel_iterations=_AT_A_TIME,
        )

    def _transform(self, images, *numbers):
        views = (self.view1, self.view2)
        return tuple(
            view.transform(images, row)
            for view, row in zip(views, numbers, strict=True)
        )

    def compute_output_shape(self, images_shape, seed_shape=None):
        views = (self.view1, self.view2)
        return tuple(view.compute_output_shape(images_shape) for view in views)

    def get_config(self):
        config = super().get_config()
        for key in ("view1", "view2"):
            view = getattr(self, key)
            config[key] = keras.saving.serialize_keras_object(view)
        config["jit_compile"] = self.jit_compile
        config["one_by_one"] = self.one_by_one
        config["seed"] = self.seed
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for key in ("view1", "view2"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)


def _numbers(count, seed):
    """Random numbers of both views."""
    seeds = tf.unstack(sampling.split(seed, 2))
    return tuple(random_numbers(count, seed) for seed in seeds)
