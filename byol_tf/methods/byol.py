"""BYOL: the algorithm on one page.

    view1, view2 = views(batch)
    prediction   = predictor(projector(encoder(view)))     online network
    projection   = target_projector(target_encoder(view))  target network
    loss         = |prediction1 - projection2|^2 + |prediction2 - projection1|^2
    online      <- online - optimizer(gradient of loss)
    target      <- tau * target + (1 - tau) * online

`Pretrainer` has the views, the online network and the optimizer; this module
adds the target network, the loss and the moving average.

Grill et al. 2020, "Bootstrap Your Own Latent", section 3.1 and algorithm 1.
"""

import functools
from typing import ClassVar

import keras
import tensorflow as tf

from byol_tf.checks import check_choice
from byol_tf.layers.parameters import (
    copy_frozen,
    copy_state,
    follow_freezing,
    parameters,
    random_twin,
)
from byol_tf.losses.objectives import byol_loss
from byol_tf.methods.outputs import Outputs
from byol_tf.methods.pretrainer import Pretrainer
from byol_tf.optim import ema
from byol_tf.optim.schedules import check_tau_or_schedule


@keras.saving.register_keras_serializable("byol_tf")
class BYOL(Pretrainer):
    """Pretrains an encoder to predict the output of its own moving average.

    Use `compile(optimizer)`, `fit(dataset)` and `predict(inputs)` as with any
    Keras model. `Pretrainer` documents the remaining arguments.

    Args:
        encoder: functional or built sequential Keras model, `[batch, ...]` to
            `[batch, features]`.
        views: `views(inputs, seed) -> (view1, view2)`, or None if the dataset
            gives the views.
        hidden_size: hidden width of projector and predictor.
        projection_size: length of projections and predictions.
        predictor_hidden_size: hidden width of the predictor; None:
            `hidden_size`; 0: no predictor, an ablation.
        tau: decay of the target network in [0, 1], or a function of the number
            of updates, such as `byol_tf.CosineTau`.
        target_init: "independent" (its own random weights, as in the official
            code) or "copy" (a copy of the online network).
        **kwargs: arguments of `Pretrainer` (`probe_classes`, `seed`, `dtype`,
            ...).

    Raises:
        ValueError: if an argument has an invalid value.
    """

    rate_names = ("learning_rate", "tau")

    checks: ClassVar = {
        **Pretrainer.checks,
        "tau": check_tau_or_schedule,
        "target_init": functools.partial(
            check_choice, choices=("independent", "copy")
        ),
    }

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        hidden_size: int = 4096,
        projection_size: int = 256,
        predictor_hidden_size: int | None = None,
        tau=0.99,
        target_init: str = "independent",
        name: str = "byol",
        **kwargs,
    ):
        if predictor_hidden_size is None:
            predictor_hidden_size = hidden_size
        super().__init__(
            encoder,
            views,
            hidden_size=hidden_size,
            projection_size=projection_size,
            predictor_hidden_size=predictor_hidden_size,
            name=name,
            **kwargs,
        )
        self.check(target_init=target_init, tau=tau)
        self.target_init = target_init
        self.begin_target(self.encoder, self.target_encoder)
        self.begin_target(self.projector, self.target_projector)
        self.tau = float(tau) if isinstance(tau, (int, float)) else tau

    # ---- the algorithm ------------------------------------------------

    def make_target(self) -> None:
        """Makes the target network, without predictor and without gradient.

        It is `trainable` where the online network is, since a frozen batch norm
        uses its moving statistics.
        """
        self.target_encoder = random_twin(self.encoder)
        self.target_projector = self.make_projector("target_projector")

    def begin_target(self, online: keras.Model, target: keras.Model) -> None:
        """Copies a part of the online network to the target network.

        With `target_init` "independent", copies only its frozen weights.
        """
        copy = copy_state if self.target_init == "copy" else copy_frozen
        copy(online, target)

    def target(self, view: tf.Tensor, training: bool = True) -> Outputs:
        """Runs the target network, which has no predictor.

        Arguments and shapes are as in `online`.
        """
        representation = self.target_encoder(view, training=training)
        projection = self.target_projector(representation, training=training)
        return Outputs(representation, projection, None).float32()

    def objective(self, view1, view2, training):
        """Compares each prediction with the other view's target projection."""
        online1 = self.online(view1, training)
        online2 = self.online(view2, training)
        target1 = self.target(view1, training)
        target2 = self.target(view2, training)
        loss = self.compare(
            online1.prediction,
            online2.prediction,
            target1.projection,
            target2.projection,
        )
        return loss, online1.representation

    def compare(self, prediction1, prediction2, projection1, projection2):
        """Returns the float32 scalar loss of `[batch, projection_size]`."""
        return byol_loss(prediction1, prediction2, projection1, projection2)

    def rates(self, updates):
        """Returns learning rate and tau after `updates` updates."""
        tau = self.tau(updates) if callable(self.tau) else self.tau
        return {**super().rates(updates), "tau": tau}

    def after_update(self, rates, updated):
        """Moves the target, unless the optimizer made no update."""
        tau = tf.where(updated, tf.cast(rates["tau"], tf.float32), 1.0)
        ema.update_average(self.target_variables, self._averaged_online, tau)

    # ---- variables and Keras ------------------------------------------

    @functools.cached_property
    def target_variables(self) -> list[keras.Variable]:
        """Parameters of the target network, frozen ones included."""
        networks = self.target_encoder, self.target_projector
        return [v for network in networks for v in parameters(network)]

    @functools.cached_property
    def _averaged_online(self):
        networks = self.encoder, self.projector
        return [v for network in networks for v in parameters(network)]

    def make_train_function(self, force=False):
        """Compiles the step; the target freezes what the encoder has frozen."""
        follow_freezing(self.encoder, self.target_encoder)
        return super().make_train_function(force)

    def get_config(self):
        tau = keras.saving.serialize_keras_object(self.tau)
        arguments = {"tau": tau, "target_init": self.target_init}
        return {**super().get_config(), **arguments}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        tau = keras.saving.deserialize_keras_object(
            config["tau"], custom_objects=custom_objects
        )
        return super().from_config({**config, "tau": tau}, custom_objects)
