"""BYOL-Explore's idea: the prediction error is both loss and reward.

    prediction = predictor(encoder(view), action)
    target     = target_encoder(next view)
    error      = |prediction - target|^2, of unit vectors
    target_encoder <- tau * target_encoder + (1 - tau) * encoder

Guo et al. 2022, "BYOL-Explore: Exploration by Bootstrapped Prediction". This
version predicts one step ahead, without the paper's memory of earlier views.
"""

import keras
import numpy as np
import tensorflow as tf

from byol_tf.losses.objectives import regression_loss
from byol_tf.optim.ema import update_average
from byol_tf.systems.explore.rooms import ACTIONS, Rooms

_BATCH = 128  # transitions per training step
_WIDTH = 32  # of the vectors
_TAU = 0.98  # decay of the target network
_RATE = 2e-3  # of learning


class Curiosity:
    """Learns to predict views, and rewards what it predicts badly.

    Args:
        size: length of a view.
        seed: seed of the weights, and of the transitions to train on.
        lessons: training steps before each reward; 0: keep random weights, a
            control for what learning adds.
    """

    def __init__(self, size: int, seed: int, lessons: int = 8):
        self.lessons, self._rng = lessons, np.random.default_rng(seed)
        self.encoder = _network(size, seed)
        self.target = keras.models.clone_model(self.encoder)
        self.target.set_weights(self.encoder.get_weights())
        self.predictor = _network(_WIDTH + len(ACTIONS), seed + 1)
        networks = self.encoder, self.predictor
        self._variables = [v for n in networks for v in n.trainable_variables]
        self._optimizer = keras.optimizers.Adam(_RATE)
        self._optimizer.build(self._variables)
        self._learn, self._judge = (
            tf.function(step, autograph=False, reduce_retracing=True)
            for step in (self._learn, self._judge)
        )

    def _errors(self, vectors, actions, targets):
        """Returns prediction errors, float32 `[n]` in [0, 4]."""
        inputs = tf.concat([vectors, tf.one_hot(actions, len(ACTIONS))], axis=1)
        return regression_loss(self.predictor(inputs), targets)

    def _judge(self, views, states, actions, next_states):
        """Returns errors of transitions, encoding each state once."""
        vectors = tf.gather(self.encoder(views), states)
        targets = tf.gather(self.target(views), next_states)
        return self._errors(vectors, actions, targets)

    def _learn(self, views, actions, next_views):
        """Makes one training step; returns the loss."""
        with tf.GradientTape() as tape:
            targets = tf.stop_gradient(self.target(next_views))
            errors = self._errors(self.encoder(views), actions, targets)
            loss = tf.reduce_mean(errors)
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply_gradients(
            zip(gradients, self._variables, strict=True)
        )
        update_average(self.target.variables, self.encoder.variables, _TAU)
        return loss

    def __call__(self, rooms: Rooms, states, actions) -> np.ndarray:
        """Trains on the walked transitions, then rewards each known transition.

        A reward is the error's distance above the mean of the walked
        transitions, in standard deviations, clipped at 0 as in the paper.

        Args:
            rooms: rooms with all walked transitions.
            states, actions: int `[n]`, the known transitions.
        """
        next_states = rooms.next_states[states, actions]
        action_counts = rooms.action_counts[states, actions]
        share = action_counts / action_counts.sum()
        for _ in range(self.lessons):
            sample = self._rng.choice(len(states), _BATCH, p=share)
            sample_views, next_views = (
                rooms.views[states[sample]],
                rooms.views[next_states[sample]],
            )
            self._learn(sample_views, actions[sample], next_views)
        views = rooms.views[: rooms.count]
        errors = np.asarray(
            self._judge(views, states, actions, next_states), float
        )
        mean = share @ errors
        scale = np.sqrt(share @ (errors - mean) ** 2)
        return np.maximum(errors - mean, 0) / max(scale, 1e-9)


def _network(size, seed):
    def draw(number):
        return keras.initializers.GlorotUniform(seed=number)

    layers = [
        keras.Input((size,)),
        keras.layers.Dense(64, "relu", kernel_initializer=draw(seed)),
        keras.layers.Dense(_WIDTH, kernel_initializer=draw(seed + 7)),
    ]
    return keras.Sequential(layers)
