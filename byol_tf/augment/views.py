"""The two views of BYOL as a Keras layer, and the package's other layers."""

import keras
import tensorflow as tf

from byol_tf.augment import sampling
from byol_tf.augment.centre import CentreView
from byol_tf.augment.layer import ImageLayer, to_float
from byol_tf.augment.view import View, next_seed, warn_of_channels

__all__ = ["CentreView", "TwoViews", "View"]

# What the paper's second view has of its own.
_SECOND = {"blur": 0.1, "solarize": 0.2}


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
        seed: of the draws of calls without a seed.

    Reference: BYOL, appendix B, table 6.
    """

    def __init__(
        self, view1=None, view2=None, *, jit_compile=True, seed=None, **kwargs
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
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.warned = False
        self._compiled = self._draw
        if self.jit_compile:
            self._compiled = tf.function(
                self._draw, jit_compile=True, autograph=False
            )

    @classmethod
    def byol(cls, size=None, *, jit_compile=True, seed=None, **overrides):
        """The paper's pair, with the same changes to both recipes.

        Args:
            size: as in `View`.
            jit_compile: as in `TwoViews`.
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
            seed=seed,
        )

    def call(self, images, seed=None):
        warn_of_channels(self, [self.view1, self.view2], images)
        if seed is None:
            seed = next_seed(self.seed_generator)
        return self._compiled(images, seed)

    def _draw(self, images, seed):
        images = to_float(images)
        seeds = tf.unstack(sampling.split(seed, 2))
        return self.view1.draw(images, seeds[0]), self.view2.draw(
            images, seeds[1]
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
        config["seed"] = self.seed
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for key in ("view1", "view2"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)
