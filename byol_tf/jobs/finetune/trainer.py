"""An encoder and a head that are trained together, again and again."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from byol_tf.optim.optimizers import make_optimizer
from byol_tf.runtime import set_seed
from byol_tf.seeds import step_seed
from byol_tf.tasks.task import Task

# Gradients of a loss this much larger do not vanish in float16.
FLOAT16_LOSS_SCALE = 1024.0


class Weights(NamedTuple):
    """Values of all weights, statistics of batch normalisation among them."""

    encoder: list[np.ndarray]
    head: list[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Update:
    """What the optimizers are made of.

    Attributes:
        optimizer: "sgd" (Nesterov), "adamw" or "lars".
        momentum: of SGD and LARS.
        head_rate: learning rate of the head by that of the encoder, where
            both are trained.
        batch_norm: "train" (statistics of the batch) or "frozen".
    """

    optimizer: str = "sgd"
    momentum: float = 0.9
    head_rate: float = 1.0
    batch_norm: str = "train"


class FineTuner:
    """Trains an encoder with the head of a task, or the head alone.

    Nothing of a training is left when the next one begins with `reset`, so
    one object, whose steps are traced once, serves a whole grid of settings.
    Learning rate and weight decay are arguments of a step.

    Weight decay is added to the gradient (`g + decay * w`) of the weights of
    rank two and more, as in the paper; AdamW's is decoupled.

    Args:
        encoder: float images in [0, 1] to vectors; its weights are changed.
        task: gives head, loss and predictions.
        image_shape: `(height, width, channels)` of what the encoder is given.
        prepare: layer without draws from uint8 images to such images, such as
            `CentreView`.
        draw: random view of a step, `draw(images, seed)` with a seed of int32
            `[2]`; None takes `prepare`.
        update: how an update is made.

    Attributes:
        head: the task's layer, built.
        classifier: functional Keras model from float images in [0, 1] to
            predictions. It shares the weights.

    Reference: BYOL, appendix D.2.
    """

    def __init__(
        self,
        encoder: keras.Model,
        task: Task,
        image_shape: tuple[int, int, int],
        prepare: Callable,
        draw: Callable | None = None,
        update: Update | None = None,
    ):
        self.encoder, self.task, self.prepare = encoder, task, prepare
        self._options = update or Update()
        self.head = task.head()
        images = keras.Input(image_shape, name="images")
        outputs = self.head(encoder(images))
        self._network = keras.Model(images, outputs)
        activation = keras.layers.Activation(
            task.activation(), dtype="float32", name="predictions"
        )
        self.classifier = keras.Model(
            images, activation(outputs), name="classifier"
        )
        # XLA makes the views several times faster on a CPU.
        self._draw = (
            _traced(draw, jit_compile=True)
            if draw
            else _traced(lambda images, seed: prepare(images))
        )
        parts = (encoder, self.head)
        self._optimizers = [self._optimizer(part) for part in parts]
        self._scale = FLOAT16_LOSS_SCALE if _has_float16(encoder) else 1.0
        self._updates = {
            whole: _traced(functools.partial(self._update, whole=whole))
            for whole in (False, True)
        }
        self._forward = _traced(self._outputs)

    def _optimizer(self, part):
        optimizer = make_optimizer(
            self._options.optimizer, 0.0, momentum=self._options.momentum
        )
        optimizer.build(part.trainable_variables)
        return optimizer

    # ---- weights ------------------------------------------------------

    def new_head(self, seed: int) -> list[np.ndarray]:
        """Weights of a head that has learned nothing."""
        set_seed(seed)
        head = self.task.head()
        head.build((None, self.encoder.output_shape[-1]))
        return head.get_weights()

    def weights(self) -> Weights:
        """A copy of the present weights."""
        return Weights(self.encoder.get_weights(), self.head.get_weights())

    def restore(self, weights: Weights) -> None:
        """Sets the weights; the optimizers keep their state."""
        self.encoder.set_weights(weights.encoder)
        self.head.set_weights(weights.head)

    def reset(self, weights: Weights) -> None:
        """Begins a training at these weights."""
        self.restore(weights)
        for optimizer in self._optimizers:
            for variable in optimizer.variables:
                variable.assign(keras.ops.zeros_like(variable))

    # ---- training -----------------------------------------------------

    def views(self, images: tf.Tensor, seed: int, step: int) -> tf.Tensor:
        """What a step sees of uint8 images, float32 in [0, 1]."""
        return self._draw(images, step_seed(seed, step))

    def step(
        self,
        images: tf.Tensor,
        targets: tf.Tensor,
        *,
        rate: float,
        decay: float,
        whole: bool,
    ) -> tf.Tensor:
        """One update.

        Args:
            images: float32 `[batch, *image_shape]` in [0, 1].
            targets: float32 `[batch, targets]`.
            rate: learning rate of the encoder, or of the head alone.
            decay: weight decay.
            whole: False trains the head alone, and the encoder, in inference
                mode, stays bit for bit as it is.

        Returns:
            The mean loss of the batch before the update.
        """
        rate, decay = tf.constant(rate), tf.constant(decay)
        return self._updates[whole](images, targets, rate, decay)

    def _update(self, images, targets, rate, decay, *, whole):
        training = whole and self._options.batch_norm == "train"
        parts = [self.encoder, self.head] if whole else [self.head]
        variables = [part.trainable_variables for part in parts]
        with tf.GradientTape() as tape:
            features = self.encoder(images, training=training)
            outputs = self.head(features, training=True)
            loss = tf.reduce_mean(self.task.loss(targets, outputs))
            scaled = loss * self._scale
        gradients = tape.gradient(
            scaled, variables, unconnected_gradients="zero"
        )
        for optimizer, part, values in zip(
            self._optimizers[-len(parts) :], variables, gradients, strict=True
        ):
            is_head = optimizer is self._optimizers[-1]
            multiple = self._options.head_rate if whole and is_head else 1.0
            self._apply(optimizer, part, values, rate * multiple, decay)
        return loss

    def _apply(self, optimizer, variables, gradients, rate, decay):
        optimizer.learning_rate.assign(rate)
        decoupled = self._options.optimizer == "adamw"
        changes = []
        for variable, gradient in zip(variables, gradients, strict=True):
            gradient = self._unscaled(gradient)
            if len(variable.shape) > 1 and decoupled:
                variable.assign(variable * (1.0 - rate * decay))
            elif len(variable.shape) > 1:
                gradient += decay * variable
            changes.append(gradient)
        optimizer.apply(changes, variables)

    def _unscaled(self, gradient):
        if self._scale == 1.0:
            return gradient
        gradient = gradient / self._scale
        # What overflowed in float16 is left out of this one update.
        return tf.where(tf.math.is_finite(gradient), gradient, 0.0)

    # ---- judging ------------------------------------------------------

    def outputs(
        self, images: np.ndarray, batch_size: int, progress: Callable = iter
    ) -> np.ndarray:
        """Outputs of the head in inference mode.

        Args:
            images: uint8 `[n, height, width, channels]`.
            batch_size: images at once.
            progress: wrapper of an iterable, such as `tqdm.tqdm`.

        Returns:
            float32 `[n, outputs]`.
        """
        starts = range(0, len(images), batch_size)
        parts = [
            self._forward(tf.constant(np.asarray(images[i : i + batch_size])))
            for i in progress(starts)
        ]
        return np.concatenate([part.numpy() for part in parts])

    def _outputs(self, images):
        outputs = self._network(self.prepare(images), training=False)
        return tf.cast(outputs, tf.float32)

    def judge(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """The task's metrics of outputs, and their mean `loss`."""
        activation = keras.activations.get(self.task.activation())
        predictions = np.asarray(activation(tf.constant(outputs)))
        losses = self.task.loss(tf.constant(targets), tf.constant(outputs))
        metrics = self.task.metrics(targets, predictions)
        return {**metrics, "loss": float(tf.reduce_mean(losses))}


def _traced(function, **options):
    # Batches of another size are no reason to trace anew more than once.
    return tf.function(
        function, autograph=False, reduce_retracing=True, **options
    )


def _has_float16(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.Model):
        return any(_has_float16(inner) for inner in layer.layers)
    return layer.compute_dtype == "float16"
