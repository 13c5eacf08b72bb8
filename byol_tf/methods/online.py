"""The Keras side of a method: variables, `fit` and configuration."""

import functools

import keras
import tensorflow as tf

from byol_tf.layers.parameters import parameters
from byol_tf.methods.watched import watched


class OnlineModel(keras.Model):
    """A model that trains `encoder`, `projector`, `predictor` and `probe`."""

    rate_names = ()  # keys in the logs besides the losses
    _traced_with = ""  # trainable parameters of the traced step

    # ---- variables ----------------------------------------------------

    @property
    def _online_networks(self):
        networks = [self.encoder, self.projector, self.predictor]
        return [*networks, self.probe] if self.probe else networks

    @property
    def _predictors(self):
        return [self.predictor]

    @functools.cached_property
    def parameters(self) -> list[keras.Variable]:
        """Parameters of the online network and the probe, frozen ones included.

        Build an optimizer with these, so that layers can be frozen and unfrozen
        between two calls of `fit`.
        """
        return [v for n in self._online_networks for v in parameters(n)]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The `parameters` that are not frozen; never a target network's."""
        networks = self._online_networks
        return [v for network in networks for v in network.trainable_variables]

    @property
    def trainable_weights(self):
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        trainable_ids = {id(variable) for variable in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable_ids]

    @property
    def non_trainable_weights(self):
        return self.non_trainable_variables

    # ---- Keras --------------------------------------------------------

    def call(self, inputs, training=False):
        """Computes representations `[batch, features]`, as the encoder does."""
        return self.encoder(inputs, training=training)

    def make_train_function(self, force=False):
        """Compiles the step, again if other variables were frozen since."""
        # A step that creates the optimizer's variables would be traced twice.
        with self.distribute_strategy.scope():
            self.optimizer.build(self.parameters)
        # A traced step keeps updating the variables that were trainable then.
        trainable_flags = "".join(
            str(int(v.trainable)) for v in self.parameters
        )
        force = force or trainable_flags != self._traced_with
        self._traced_with = trainable_flags
        return super().make_train_function(force)

    def fit(self, x=None, *args, **kwargs):
        """Trains like any Keras model, after checking the views' inputs.

        Raises:
            ValueError: if the views refuse an input.
        """
        check = getattr(self.views, "check", None)
        try:
            x = watched(x, check) if check else x
            return super().fit(x, *args, **kwargs)
        except tf.errors.InvalidArgumentError as error:
            _, separator, text = error.message.partition("ValueError: ")
            if not separator:
                raise
            raise ValueError(text.splitlines()[0]) from error

    def train_step(self, data):
        """Makes one update on a batch, with its labels if there are any.

        Returns:
            Means of the logs since the epoch began, by name.
        """
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self._track(self.pretrain_step(inputs, labels))

    def test_step(self, data):
        """Computes the loss of two new views of a batch, without an update.

        Returns:
            Means of the logs so far, by name.
        """
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        view1, view2 = self.make_views(inputs)
        _, logs = self.loss_of_views(view1, view2, labels, training=False)
        return self._track(logs)

    @functools.cached_property
    def _trackers(self):
        # For `fit` only. Reading their variables sums over workers, so a single
        # worker could not save the model.
        keys = ["loss", "batch_feature_std", *self.rate_names, "skipped"]
        keys += ["probe_accuracy", "probe_loss"] if self.probe else []
        return {key: keras.metrics.Mean(name=key) for key in keys}

    def _track(self, logs):
        for key, value in logs.items():
            self._trackers[key].update_state(value)
        return {key: self._trackers[key].result() for key in logs}

    @property
    def metrics(self):
        return list(self._trackers.values())

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "encoder": serialize(self.encoder),
            "views": serialize(self.views),
            "dtype": self.dtype_policy.name,
            "seed": self.seed,
            "name": self.name,
            **self._sizes,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for key in ("encoder", "views"):
            config[key] = keras.saving.deserialize_keras_object(
                config[key], custom_objects=custom_objects
            )
        return cls(**config)
