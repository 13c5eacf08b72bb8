"""RandAugment, MixUp and CutMix of keras-cv for training with targets."""

from collections.abc import Callable

import tensorflow as tf

from byol_tf.checks import check_choice, check_number

NAMES = ("none", "randaugment")
Augment = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class SupervisedAugment:
    """Augments images and their targets with keras-cv.

    keras-cv draws from an internal state that only a new layer resets. So
    `start(seed)` makes new layers, whose draws depend on the seed and on the
    number of batches so far. They are not compiled with XLA, which lacks
    kernels for some of their operations.

    Args:
        name: "none" or "randaugment".
        magnitude: strength of RandAugment's operations, in [0, 1].
        operations: number of RandAugment's operations per image.
        mixup: alpha of MixUp's beta distribution; 0: off.
        cutmix: alpha of CutMix's beta distribution; 0: off. If both are given,
            each batch gets one of the two, with equal probability.

    Raises:
        ValueError: if an argument is invalid.

    References: Cubuk et al. 2020; Zhang et al. 2018; Yun et al. 2019.
    """

    def __init__(
        self,
        name: str = "none",
        magnitude: float = 0.5,
        operations: int = 2,
        mixup: float = 0.0,
        cutmix: float = 0.0,
    ):
        self.name = check_choice("augment.name", name, NAMES)
        self.magnitude = check_number("augment.magnitude", magnitude, 0.0, 1.0)
        self.operations = int(check_number("augment.operations", operations, 1))
        self.mixup = check_number("augment.mixup", mixup, 0.0)
        self.cutmix = check_number("augment.cutmix", cutmix, 0.0)

    @property
    def mixes(self) -> bool:
        """Whether two images are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def changes(self) -> bool:
        """Whether it has any effect."""
        return self.mixes or self.name != "none"

    def start(self, seed: int) -> Augment:
        """Returns the augmentation, beginning at its first batch.

        Args:
            seed: 0 or more. Also sets TensorFlow's global seed, which MixUp and
                CutMix use.

        Returns:
            A function of images, float32 `[batch, height, width, channels]` in
            [0, 1], and targets, float32 `[batch, n]`, that returns both,
            changed. MixUp and CutMix mix targets as they mix images; the
            mixture with an unknown value (NaN) is unknown.

        Raises:
            ValueError: if RandAugment is given other than 1 or 3 channels.
        """
        tf.random.set_seed(seed)
        change = self._rand_augment(seed) if self.name != "none" else None
        mix = self._mixture() if self.mixes else None

        def augment(images, targets):
            images = change(images) if change else images
            images, targets = mix(images, targets) if mix else (images, targets)
            return tf.clip_by_value(images, 0.0, 1.0), targets

        # keras-cv has conditions on tensors that only AutoGraph translates.
        return tf.function(augment)

    def _rand_augment(self, seed):
        # Imported here, since most trainings do not need it.
        from keras_cv.layers import RandAugment

        layer = RandAugment(
            value_range=(0, 1),
            augmentations_per_image=self.operations,
            magnitude=self.magnitude,
            seed=seed,
        )

        def augment(images):
            channels = images.shape[-1]
            if channels not in (1, 3):
                raise ValueError(
                    "RandAugment needs images of 1 or 3 channels. Received: "
                    f"{channels}; use --config.augment.name=none"
                )
            # Its operations want red, green and blue, and keep gray gray.
            coloured = images if channels == 3 else tf.repeat(images, 3, -1)
            # One image at a time: in parallel, as in the layer's own batches,
            # they would race for the draws of one state.
            changed = tf.map_fn(layer, coloured, parallel_iterations=1)
            changed = tf.ensure_shape(changed, coloured.shape)
            return changed[..., :channels]

        return augment

    def _mixture(self):
        from keras_cv.layers import CutMix, MixUp

        layers = []
        if self.mixup:
            layers.append(MixUp(alpha=self.mixup))
        if self.cutmix:
            layers.append(CutMix(alpha=self.cutmix))

        def augment(images, targets):
            batch = {"images": images, "labels": targets}
            first, last = (
                (lambda: layers[0](batch)),
                (lambda: layers[-1](batch)),
            )
            if len(layers) > 1:
                mixed = tf.cond(tf.random.uniform([]) < 0.5, first, last)
            else:
                mixed = first()
            return mixed["images"], mixed["labels"]

        return augment
