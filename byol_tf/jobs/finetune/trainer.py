"""Trains an encoder with a head, repeatedly."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.data.rows import LENGTH
from byol_tf.jobs.finetune.settings import Settings
from byol_tf.layers.parameters import random_states
from byol_tf.modalities.levels import outputs_of
from byol_tf.optim.optimizers import make_optimizer
from byol_tf.seeds import step_seed
from byol_tf.tasks.task import (
    VECTOR,
    Accumulator,
    Arrays,
    Task,
    Tensors,
    take,
)

# Scales the loss so that gradients do not vanish in float16.
FLOAT16_LOSS_SCALE = 1024.0
# Mean squared norm of vectors up to which SGD's rate of a head holds. Its
# largest stable rate falls with it: of ResNets it is some 10 to 150, of the
# encoders of sounds 5,000.
MAX_SQUARED_NORM = 256.0
NUM_MEASURED = 256  # examples whose vectors are measured


class Weights(NamedTuple):
    """Values of all weights, including statistics of batch normalisation."""

    encoder: list[np.ndarray]
    head: list[np.ndarray]


class FineTuner:
    """Trains an encoder with the head of a task, or only the head.

    `reset` starts the next training, so that one object, whose steps are traced
    once, serves a whole grid of settings. Weight decay is added to the gradient
    (`g + decay * w`) of weights of rank two and more, as in the paper; AdamW's
    is decoupled.

    Args:
        encoder: prepared inputs to vectors; its weights are changed.
        task: provides head, loss and predictions.
        spec: spec of the encoder's input, `[None, ...]`; a dict by name if
            there are several, with `length` if an axis is padded.
        prepare: deterministic layer from stored rows to such inputs.
        settings: settings of an update.
        draw: random views and their places, `draw(rows, seed)` with an int32
            `[2]` seed; None: use `prepare`.
        levels: name of the layer and stride, by name of the encoder's level.

    Attributes:
        classifier: functional Keras model from the encoder's inputs to the
            head's outputs by name; shares the weights.
        draw: as given.

    Raises:
        ValueError: if the encoder lacks a level that the task needs.

    Reference: BYOL, appendix D.2.
    """

    def __init__(
        self,
        encoder: keras.Model,
        task: Task,
        spec: tf.TensorSpec | Mapping[str, tf.TensorSpec],
        prepare: Callable,
        settings: Settings,
        draw: Callable | None = None,
        levels: Mapping[str, tuple[str, int]] | None = None,
    ):
        self.encoder, self.task, self.prepare = encoder, task, prepare
        self._settings = settings
        levels = levels or {}
        names, self._stride = _consumed_levels(task, levels)
        self._features = _feature_model(encoder, levels, names)
        inputs = _inputs(spec)
        features = self._by_name(self._features(self._encoder_inputs(inputs)))
        self._specs = {
            n: tf.TensorSpec(f.shape, tf.float32) for n, f in features.items()
        }
        self.head = task.head(self._specs)
        outputs = self._with_length(self.head(features), inputs)
        self.classifier = keras.Model(inputs, outputs, name="classifier")
        self._draws = [
            v.numpy().tolist() for v in random_states(self.classifier)
        ]
        compiles = bool(draw) and getattr(draw, "compiles", True)
        # XLA makes the views several times faster on a CPU, but would compile
        # each length of rows anew.
        self.draw = draw
        self._draw = _traced(
            draw or (lambda rows, seed: (prepare(rows), {})),
            jit_compile=compiles and not task.sequences,
        )
        self._move = _traced(task.move)
        parts = (encoder, self.head)
        self._optimizers = [self._optimizer(part) for part in parts]
        self._head_factor = tf.Variable(1.0, trainable=False, dtype=tf.float32)
        self._scale = FLOAT16_LOSS_SCALE if _has_float16(encoder) else 1.0
        self._updates = {
            whole: _traced(functools.partial(self._update, whole=whole))
            for whole in (False, True)
        }
        self._traced_judge = _traced(self._judge)
        self._squares = _traced(self._vector_squares)

    def _optimizer(self, part):
        optimizer = make_optimizer(
            self._settings.optimizer, 0.0, momentum=self._settings.momentum
        )
        optimizer.build(part.trainable_variables)
        return optimizer

    # ---- weights ------------------------------------------------------

    def new_head(self, seed: int) -> list[np.ndarray]:
        """Returns initial weights of a head."""
        keras.utils.set_random_seed(seed)
        return self.task.head(self._specs).get_weights()

    def weights(self) -> Weights:
        """Returns a copy of the current weights."""
        return Weights(self.encoder.get_weights(), self.head.get_weights())

    def restore(self, weights: Weights) -> None:
        """Sets the weights; the optimizers keep their state."""
        self.encoder.set_weights(weights.encoder)
        self.head.set_weights(weights.head)

    def reset(self, weights: Weights, seed: int = 0) -> None:
        """Starts a training from these weights; dropout follows the seed."""
        self.restore(weights)
        for state, (start, _) in zip(
            random_states(self.classifier), self._draws, strict=True
        ):
            state.assign([(start + seed) % 2**32, 0])
        for optimizer in self._optimizers:
            for variable in optimizer.variables:
                variable.assign(keras.ops.zeros_like(variable))

    def pace_head(self, examples: Examples, batch_size: int) -> float:
        """Lowers SGD's rate of a head on the vector where vectors are long.

        Args:
            examples: whose vectors are measured, by the present weights.
            batch_size: examples at once.

        Returns:
            Factor on the rate from now on: `MAX_SQUARED_NORM` / mean squared
            norm, at most 1; 1 for other optimizers and heads.
        """
        factor = 1.0
        if self._settings.optimizer == "sgd" and [*self._specs] == [VECTOR]:
            factor = min(
                1.0, MAX_SQUARED_NORM / self._squared_norm(examples, batch_size)
            )
        self._head_factor.assign(factor)
        return factor

    def _squared_norm(self, examples, batch):
        count, norms = min(examples.num_examples, NUM_MEASURED), []
        for start in range(0, count, batch):
            positions = np.arange(start, min(start + batch, count))
            rows = examples.take(positions, self.prepare)
            norms.append(self._squares(_constants(rows)))
        return max(float(tf.reduce_mean(tf.concat(norms, axis=0))), 1e-6)

    def _vector_squares(self, rows):
        inputs = self._encoder_inputs(self.prepare(rows))
        vectors = self._features(inputs, training=False)
        return tf.reduce_sum(tf.square(tf.cast(vectors, tf.float32)), axis=-1)

    # ---- training -----------------------------------------------------

    def views(self, rows, targets: Tensors, seed: int, step: int) -> tuple:
        """Draws the inputs of a step from stored rows, with their targets.

        Args:
            rows: a stored batch.
            targets: their targets.
            seed: seed of the training.
            step: counted from 0.
        """
        views, where = self._draw(rows, step_seed(seed, step))
        if where and self.task.moves_with_image:
            targets = self._move(targets, where)
        return views, targets

    def step(
        self,
        inputs: Tensors,
        targets: Tensors,
        *,
        rate: float,
        decay: float,
        whole: bool,
    ) -> tf.Tensor:
        """Makes one update; returns the mean loss of the batch before it.

        Args:
            inputs: inputs of the encoder.
            targets: see `Task`.
            rate: learning rate of the encoder, or of the head alone.
            decay: weight decay.
            whole: False: train only the head; the encoder, in inference mode,
                stays bit for bit the same.
        """
        rate, decay = tf.constant(rate), tf.constant(decay)
        return self._updates[whole](inputs, targets, rate, decay)

    def _update(self, inputs, targets, rate, decay, *, whole):
        training = whole and self._settings.batch_norm == "train"
        parts = [self.encoder, self.head] if whole else [self.head]
        variables = [part.trainable_variables for part in parts]
        with tf.GradientTape() as tape:
            outputs = self._outputs(inputs, training, head_training=True)
            loss = tf.reduce_mean(self.task.loss(targets, outputs))
            scaled = loss * self._scale
        gradients = tape.gradient(
            scaled, variables, unconnected_gradients="zero"
        )
        if self.task.clip_norm:
            gradients = self._clipped(gradients)
        for optimizer, part, values in zip(
            self._optimizers[-len(parts) :], variables, gradients, strict=True
        ):
            multiple = 1.0
            if optimizer is self._optimizers[-1]:
                multiple = self._settings.head_rate if whole else 1.0
                multiple *= self._head_factor
            self._apply(optimizer, part, values, rate * multiple, decay)
        return loss

    def _clipped(self, gradients):
        limit = self.task.clip_norm * self._scale
        flat, _ = tf.clip_by_global_norm(tf.nest.flatten(gradients), limit)
        return tf.nest.pack_sequence_as(gradients, flat)

    def _apply(self, optimizer, variables, gradients, rate, decay):
        optimizer.learning_rate.assign(rate)
        decoupled = self._settings.optimizer == "adamw"
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
        # Ignore float16 overflows in this update.
        return tf.where(tf.math.is_finite(gradient), gradient, 0.0)

    def _outputs(self, inputs, training, head_training):
        features = self._features(
            self._encoder_inputs(inputs), training=training
        )
        features = self._by_name(features)
        outputs = self.head(features, training=head_training)
        return self._with_length(outputs, inputs)

    def _encoder_inputs(self, inputs):
        """Returns the encoder's inputs, without `length` if it takes none."""
        if not isinstance(inputs, Mapping):
            return inputs
        if isinstance(self.encoder.input, Mapping):
            return inputs
        (encoder_input,) = (
            value for key, value in inputs.items() if key != LENGTH
        )
        return encoder_input

    def _with_length(self, outputs, inputs):
        """Returns outputs by name, with their `length` if the input has one."""
        if isinstance(inputs, Mapping) and LENGTH in inputs:
            # Rounds up without negative numbers, which ONNX rounds differently.
            length = (inputs[LENGTH] + self._stride - 1) // self._stride
            outputs = {**outputs, LENGTH: length}
        return outputs

    def _by_name(self, features):
        is_vector_only = self._features is self.encoder
        return {VECTOR: features} if is_vector_only else features

    # ---- judging ------------------------------------------------------

    def judge(
        self,
        examples: Examples,
        targets: Arrays,
        batch_size: int,
        loss_suffices: bool = False,
    ) -> dict[str, float]:
        """Computes the task's metrics and mean `loss` on examples.

        Args:
            examples: examples to predict.
            targets: their targets.
            batch_size: examples per batch.
            loss_suffices: whether to leave out metrics that cannot be computed,
                for example because none of a few examples has a tag.
        """
        accumulator, loss = self.predict(examples, targets, batch_size)
        try:
            metrics = accumulator.result()
        except ValueError:
            if not loss_suffices:
                raise
            metrics = {}
        return {**metrics, "loss": loss}

    def predict(
        self, examples: Examples, targets: Arrays, batch_size: int
    ) -> tuple[Accumulator, float]:
        """Returns the filled accumulator and the mean loss; see `judge`."""
        accumulator, losses = self.task.accumulator(), []
        positions = np.arange(examples.num_examples)
        for start in range(0, len(positions), batch_size):
            batch = positions[start : start + batch_size]
            batch_targets = take(targets, batch)
            rows = _constants(examples.take(batch, self.prepare))
            outputs, decoded = self._traced_judge(rows)
            accumulator.update(
                batch_targets, {k: decoded[k].numpy() for k in decoded}
            )
            losses.append(self.task.loss(_constants(batch_targets), outputs))
        return accumulator, float(tf.reduce_mean(tf.concat(losses, axis=0)))

    def show(self, rows) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Returns the encoder's inputs for stored rows, and the predictions."""
        _, decoded = self._traced_judge(_constants(rows))
        return self.prepare(rows).numpy(), {
            name: value.numpy() for name, value in decoded.items()
        }

    def _judge(self, rows):
        outputs = self._outputs(self.prepare(rows), False, head_training=False)
        return outputs, self.task.decode(outputs)


def _consumed_levels(task, levels):
    """Returns names of the task's features, and the stride of the first."""
    strides = {name: stride for name, (_, stride) in levels.items()}
    names = tuple(task.consumes(strides))
    missing = [n for n in names if n not in (VECTOR, *strides)]
    if missing or not names:
        raise ValueError(
            f"{task.name} takes the level {(missing or ['none'])[0]!r}, but "
            f"the encoder has {', '.join((VECTOR, *strides))}; choose another "
            "encoder, or have `consumes` choose by stride"
        )
    return names, strides.get(names[0], 1)


def _feature_model(encoder, levels, names):
    """Makes a model from the encoder's inputs to features by name."""
    if names == (VECTOR,):
        return encoder
    maps = outputs_of(encoder, levels, [n for n in names if n != VECTOR])
    vector = {VECTOR: encoder.output} if VECTOR in names else {}
    return keras.Model(
        encoder.input, {**maps.output, **vector}, name="features"
    )


def _inputs(spec, name="images"):
    if isinstance(spec, Mapping):
        return {
            name: _inputs(tensor_spec, name)
            for name, tensor_spec in spec.items()
        }
    return keras.Input(spec.shape[1:], dtype=spec.dtype.name, name=name)


def _constants(arrays):
    return tf.nest.map_structure(tf.constant, arrays)


def _traced(function, **options):
    # Traces at most once more for other batch sizes.
    return tf.function(
        function, autograph=False, reduce_retracing=True, **options
    )


def _has_float16(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.Model):
        return any(_has_float16(inner) for inner in layer.layers)
    return layer.compute_dtype == "float16"
