"""The paper's linear evaluation: SGD on randomly cropped and flipped images.

Every batch is encoded once for all learning rates. Each rate trains two
classifiers: one without the held-out images, to choose the rate, and one on all
images, which is the result.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.evaluation.linear import LinearClassifier
from byol_tf.evaluation.selection import Choice, best_setting
from byol_tf.optim.schedules import WarmupCosine


class LinearProbes:
    """Linear classifiers of the same features, trained together.

    They minimise the cross-entropy with Nesterov momentum, without weight
    decay. Learning rates follow a half cosine to 0. Weights start at 0.

    Args:
        dim: length of the features.
        num_classes: number of classes.
        learning_rates: peak rate of each classifier.
        total_steps: steps until the rates are 0.
        momentum: decay of the momentum buffer.

    Attributes:
        weights: float32 `[probes, dim, num_classes]`.
        bias: float32 `[probes, 1, num_classes]`.

    Reference: BYOL, appendix D.1. The learning rate stays outside the momentum
    buffer, as in the official code.
    """

    def __init__(
        self,
        dim: int,
        num_classes: int,
        learning_rates: Sequence[float],
        total_steps: int,
        momentum: float = 0.9,
    ):
        count = len(learning_rates)
        self.weights = tf.Variable(tf.zeros([count, dim, num_classes]))
        self.bias = tf.Variable(tf.zeros([count, 1, num_classes]))
        self.momentum = momentum
        self._rates = tf.constant(learning_rates, tf.float32)[:, None, None]
        self._decay = WarmupCosine(1.0, total_steps)
        self._velocities = [
            tf.Variable(tf.zeros_like(v)) for v in (self.weights, self.bias)
        ]

    def update(
        self,
        step: tf.Tensor,
        features: tf.Tensor,
        labels: tf.Tensor,
        shares: tf.Tensor,
    ) -> tf.Tensor:
        """Makes one training step.

        Args:
            step: number of steps made before.
            features: float32 `[batch, dim]`.
            labels: int `[batch]`.
            shares: float32 `[probes, batch]`, 1 if the probe trains on the
                example, else 0.

        Returns:
            Mean loss of each probe over its examples, float32 `[probes]`.
        """
        scores = tf.matmul(features[None], self.weights) + self.bias
        targets = tf.one_hot(labels, self.weights.shape[2])
        counts = tf.reduce_sum(shares, axis=1, keepdims=True)
        shares = shares / tf.maximum(counts, 1.0)  # [P, B]
        slope = (tf.nn.softmax(scores) - targets) * shares[..., None]
        gradients = (
            tf.matmul(features[None], slope, transpose_a=True),
            tf.reduce_sum(slope, axis=1, keepdims=True),
        )
        rates = self._rates * self._decay(step)
        for variable, velocity, gradient in zip(
            (self.weights, self.bias), self._velocities, gradients, strict=True
        ):
            velocity.assign(self.momentum * velocity + gradient)
            variable.assign_sub(rates * (gradient + self.momentum * velocity))
        losses = -tf.reduce_sum(tf.nn.log_softmax(scores) * targets, axis=-1)
        return tf.reduce_sum(losses * shares, axis=1)

    def classifier(self, index: int) -> LinearClassifier:
        """Returns the current classifier of a probe."""
        return LinearClassifier(
            self.weights[index].numpy(), self.bias[index, 0].numpy(), 0.0
        )


def choose_probe(
    batches: Iterable[tuple[tf.Tensor, tf.Tensor]],
    encode: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    labels: np.ndarray,
    held_out: np.ndarray,
    held_out_features: np.ndarray,
    *,
    num_classes: int,
    learning_rates: Sequence[float],
    total_steps: int,
    momentum: float = 0.9,
    jit_compile: bool = False,
    on_step: Callable[[tf.Tensor], None] = lambda losses: None,
) -> Choice:
    """Trains linear classifiers with all learning rates and chooses one.

    Args:
        batches: `total_steps` pairs of images and their positions in `labels`,
            int `[batch]`.
        encode: function of images and the number of the step that returns
            features `[batch, dim]`, such as a frozen encoder on a random view.
        labels: int `[n]` of all training examples, in [0, num_classes).
        held_out: bool `[n]`.
        held_out_features: float `[held out, dim]`, without random crops.
        num_classes, learning_rates, total_steps, momentum: see `LinearProbes`.
        jit_compile: whether to compile the step with XLA, encoder included.
        on_step: called with the losses `[2 * rates]` after every step.

    Returns:
        The rate, with its classifier trained on all examples.

    Raises:
        ValueError: if every rate diverged.
    """
    dim, rates = held_out_features.shape[1], [*learning_rates] * 2
    probes = LinearProbes(dim, num_classes, rates, total_steps, momentum)
    all_labels = tf.constant(labels)
    train_mask = tf.constant(~held_out, tf.float32)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(number, images, positions):
        features = tf.cast(encode(images, number), tf.float32)
        train_share = tf.gather(train_mask, positions)[None]
        shares = [train_share] * len(learning_rates)
        shares += [tf.ones_like(train_share)] * len(learning_rates)
        batch_labels = tf.gather(all_labels, positions)
        return probes.update(
            number, features, batch_labels, tf.concat(shares, 0)
        )

    for number, batch in enumerate(batches):
        on_step(step(tf.constant(number, tf.int64), *batch))
    held_out_examples = held_out_features, labels[held_out]
    accuracies = {
        rate: _accuracy(probes.classifier(index), *held_out_examples)
        for index, rate in enumerate(learning_rates)
    }
    rate = best_setting(accuracies)
    index = len(learning_rates) + list(learning_rates).index(rate)
    classifier = probes.classifier(index)
    if not np.isfinite(classifier.weights).all():
        raise ValueError(
            "`learning_rates` must hold one that is low enough; all of them "
            f"made the weights infinite. Received: {tuple(learning_rates)}"
        )
    return Choice(rate, accuracies, classifier)


def _accuracy(classifier, features, labels):
    """Returns the accuracy; 0 for weights that are not finite."""
    if not np.isfinite(classifier.weights).all():
        return 0.0
    return classifier.accuracy(features, labels)
