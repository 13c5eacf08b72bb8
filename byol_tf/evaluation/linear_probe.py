"""The paper's linear evaluation: SGD on randomly cropped and flipped images.

Every batch is encoded once, and all learning rates learn from it at once. Each
has two classifiers: one that never sees the held-out images, by which the
learning rate is chosen, and one that sees all of them, which is used.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.evaluation.linear import LinearClassifier
from byol_tf.evaluation.selection import Choice, best_setting
from byol_tf.optim.schedules import WarmupCosine


class LinearProbes:
    """Linear classifiers of the same features, that step together.

    Trained by cross-entropy with Nesterov momentum, without weight decay; the
    learning rates fall to 0 along half a cosine. All begin at 0.

    Args:
        dim: length of the features.
        num_classes: number of classes.
        learning_rates: the highest rate of each classifier.
        total_steps: steps until the rates are 0.
        momentum: of the gradients.

    Attributes:
        weights: float32 `[probes, dim, num_classes]`.
        bias: float32 `[probes, 1, num_classes]`.

    Reference: BYOL, appendix D.1. The learning rate stays outside of the
    momentum's sum, as in the official code.
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
        """Makes one step.

        Args:
            step: number of steps made before.
            features: float32 `[batch, dim]`.
            labels: int `[batch]`.
            shares: float32 `[probes, batch]`, 1 where the probe learns from
                the example and 0 where not.

        Returns:
            Mean loss of each probe over its examples, float32 `[probes]`.
        """
        scores = tf.matmul(features[None], self.weights) + self.bias
        wanted = tf.one_hot(labels, self.weights.shape[2])
        counts = tf.reduce_sum(shares, axis=1, keepdims=True)
        shares = shares / tf.maximum(counts, 1.0)  # [P, B]
        slope = (tf.nn.softmax(scores) - wanted) * shares[..., None]
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
        losses = -tf.reduce_sum(tf.nn.log_softmax(scores) * wanted, axis=-1)
        return tf.reduce_sum(losses * shares, axis=1)

    def classifier(self, index: int) -> LinearClassifier:
        """The probe of this index as it is now."""
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
    """Trains a linear layer with every learning rate and chooses one.

    Args:
        batches: `total_steps` pairs of images and their positions in
            `labels`, int `[batch]`.
        encode: features `[batch, dim]` of images and the step's number, such
            as a frozen encoder's of a random view.
        labels: int `[n]` of all training examples, in [0, num_classes).
        held_out: bool `[n]`.
        held_out_features: float `[held out, dim]`, without random crops.
        num_classes, learning_rates, total_steps, momentum: see
            `LinearProbes`.
        jit_compile: compile the step with XLA, the encoder included.
        on_step: called with the losses `[2 * rates]` after every step.

    Returns:
        The rate, and its classifier of all training examples.

    Raises:
        ValueError: every rate was too high.
    """
    dim, rates = held_out_features.shape[1], [*learning_rates] * 2
    probes = LinearProbes(dim, num_classes, rates, total_steps, momentum)
    known, kept = tf.constant(labels), tf.constant(~held_out, tf.float32)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(number, images, positions):
        features = tf.cast(encode(images, number), tf.float32)
        own = tf.gather(kept, positions)[None]
        shares = [own] * len(learning_rates)
        shares += [tf.ones_like(own)] * len(learning_rates)
        wanted = tf.gather(known, positions)
        return probes.update(number, features, wanted, tf.concat(shares, 0))

    for number, batch in enumerate(batches):
        on_step(step(tf.constant(number, tf.int64), *batch))
    judged = held_out_features, labels[held_out]
    accuracies = {
        rate: _accuracy(probes.classifier(index), *judged)
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
    """Accuracy; 0 for weights that are not finite, which predict nothing."""
    if not np.isfinite(classifier.weights).all():
        return 0.0
    return classifier.accuracy(features, labels)
