"""BYOL: the algorithm on one page.

    view1, view2 = views(batch)
    prediction   = predictor(projector(encoder(view)))     online network
    projection   = target_projector(target_encoder(view))  target network
    loss         = |prediction1 - projection2|^2 + |prediction2 - projection1|^2
    online      <- online - optimizer(gradient of loss)
    target      <- tau * target + (1 - tau) * online

Grill et al. 2020, "Bootstrap Your Own Latent", section 3.1 and algorithm 1.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from byol_tf import ema
from byol_tf.models.heads import mlp
from byol_tf.objectives import byol_loss, classification, feature_spread
from byol_tf.schedules import check_tau
from byol_tf.seeds import step_seed


class Outputs(NamedTuple):
    """What one network says of one view."""

    representation: tf.Tensor  # [batch, features]
    projection: tf.Tensor  # [batch, projection_size]
    prediction: tf.Tensor | None  # [batch, projection_size], online only


@keras.saving.register_keras_serializable("byol_tf")
class BYOL(keras.Model):
    """Pretrains an encoder without labels.

    `compile(optimizer)` and `fit(dataset)` as any Keras model; the dataset
    gives batches of inputs, or `(inputs, labels)`. Labels, where there are
    any, train a linear probe that shows progress and never reaches the
    encoder. `call` is the encoder: `model.predict(x)` gives representations.

    Args:
        encoder: functional or built sequential Keras model, `[batch, ...]` to
            `[batch, features]`.
        views: `views(inputs, seed) -> (view1, view2)`, with `seed` int32 [2]
            for stateless draws, such as `byol_tf.TwoViews`. None: the dataset
            gives `(view1, view2)` in place of the inputs.
        hidden_size: hidden width of projector and predictor.
        projection_size: length of projections and predictions.
        tau: decay of the target network in [0, 1], or a schedule of the
            number of updates, such as `byol_tf.CosineTau`.
        probe_classes: number of classes of the linear probe; 0 for none.
        target_init: "independent" (random weights of its own, as in the
            official code) or "copy" (a copy of the online network).
        seed: of the views.
        dtype: Keras dtype policy of projector and predictor; the encoder has
            its own. With "mixed_float16", `compile` scales the loss.

    Raises:
        ValueError: if an argument is not one of the above.
    """

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        hidden_size: int = 4096,
        projection_size: int = 256,
        tau=0.99,
        probe_classes: int = 0,
        target_init: str = "independent",
        seed: int = 0,
        dtype=None,
        name: str = "byol",
        **kwargs,
    ):
        # The encoder converts its inputs itself, after normalising them.
        super().__init__(name=name, dtype=dtype, autocast=False, **kwargs)
        features = _vector_length(encoder)
        projector = (features, hidden_size, projection_size)
        predictor = (projection_size, hidden_size, projection_size)

        def head(sizes, name):
            return mlp(*sizes, name=name, dtype=self.dtype_policy)

        # Online network.
        self.encoder = encoder
        self.projector = head(projector, "projector")
        self.predictor = head(predictor, "predictor")
        # Target network: no predictor, no gradient. It stays `trainable`,
        # since a frozen batch norm would use its moving statistics.
        self.target_encoder = _clone(encoder)
        self.target_projector = head(projector, "target_projector")
        if target_init not in ("independent", "copy"):
            raise ValueError(
                "`target_init` must be 'independent' or 'copy'. "
                f"Received: target_init={target_init!r}"
            )
        if target_init == "copy":
            ema.copy_variables(self._averaged_online(), self.target_variables)

        self.views = views
        self.tau = check_tau(tau) if isinstance(tau, (int, float)) else tau
        self.seed = seed
        # Counts batches, also those that an optimizer skips or accumulates.
        self.step = self.add_weight(
            shape=(), dtype="int64", trainable=False, name="step"
        )
        self.probe = None
        if probe_classes:
            self.probe = keras.layers.Dense(
                probe_classes, name="probe", dtype="float32"
            )
            self.probe.build((None, features))
        self._sizes = {
            "hidden_size": hidden_size,
            "projection_size": projection_size,
            "probe_classes": probe_classes,
            "target_init": target_init,
        }
        keys = ["loss", "batch_feature_std", "learning_rate", "tau"]
        keys += ["probe_accuracy", "probe_loss"] if probe_classes else []
        self._trackers = {key: keras.metrics.Mean(name=key) for key in keys}
        self.built = True

    # ---- the algorithm ------------------------------------------------

    def online(self, view: tf.Tensor, training: bool = True) -> Outputs:
        """Representation, projection and prediction of the online network."""
        representation = self.encoder(view, training=training)
        projection = self.projector(representation, training=training)
        prediction = self.predictor(projection, training=training)
        return _float32(Outputs(representation, projection, prediction))

    def target(self, view: tf.Tensor, training: bool = True) -> Outputs:
        """Representation and projection of the target network."""
        representation = self.target_encoder(view, training=training)
        projection = self.target_projector(representation, training=training)
        return _float32(Outputs(representation, projection, None))

    def loss_of_views(self, view1, view2, labels=None, training=True):
        """Loss of one batch, and what else is worth knowing of it.

        Each view passes each network by itself, so that batch statistics are
        those of one view.

        Args:
            view1: first view of the batch.
            view2: second view.
            labels: int `[batch]` of the probe, -1 where unknown, or None.
            training: use batch statistics, as the algorithm does; else the
                moving ones.

        Returns:
            `(loss, logs)`: float32 scalar to minimise, and float32 scalars.
        """
        online1 = self.online(view1, training)
        online2 = self.online(view2, training)
        target1 = self.target(view1, training)
        target2 = self.target(view2, training)
        loss = byol_loss(
            online1.prediction,
            online2.prediction,
            target1.projection,
            target2.projection,
        )
        logs = {
            "loss": loss,
            "batch_feature_std": feature_spread(online1.representation),
        }
        if self.probe is None or labels is None:
            return loss, logs
        # Labels stop here: no gradient of the probe reaches the encoder.
        logits = self.probe(tf.stop_gradient(online1.representation))
        probe_loss, logs["probe_accuracy"] = classification(logits, labels)
        logs["probe_loss"] = probe_loss
        return loss + probe_loss, logs

    def pretrain_step(self, inputs, labels=None) -> dict[str, tf.Tensor]:
        """Views, loss, one update of the online and of the target network.

        Returns:
            The logs of `loss_of_views`, with `learning_rate` and `tau`.
        """
        view1, view2 = self.make_views(inputs)
        updates = tf.identity(self.optimizer.iterations)
        rates = {"learning_rate": self.optimizer.learning_rate}
        rates["tau"] = self.tau(updates) if callable(self.tau) else self.tau
        with tf.GradientTape() as tape:
            loss, logs = self.loss_of_views(view1, view2, labels)
            # Gradients are summed over replicas.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss / replicas)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self._update_target(rates["tau"], updates)
        self.step.assign_add(1)
        rates = {key: tf.cast(rate, tf.float32) for key, rate in rates.items()}
        return {**logs, **rates}

    def _update_target(self, tau, updates_before):
        # The optimizer makes no update where it accumulates gradients or
        # where float16 overflowed; then the target rests too.
        tau = tf.cast(tau, tf.float32)
        updated = self.optimizer.iterations > updates_before
        tau = tf.where(updated, tau, 1.0)
        ema.update_average(self.target_variables, self._averaged_online(), tau)

    # ---- views and variables ------------------------------------------

    def make_views(self, inputs):
        """The two views of a batch, drawn by seed, step and replica."""
        if self.views is None:
            return inputs
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        return self.views(
            inputs, seed=step_seed(self.seed, self.step.value, replica)
        )

    @property
    def target_variables(self) -> list[keras.Variable]:
        """Parameters of the target network."""
        return (
            self.target_encoder.trainable_variables
            + self.target_projector.trainable_variables
        )

    def _averaged_online(self):
        return (
            self.encoder.trainable_variables
            + self.projector.trainable_variables
        )

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Parameters of the online network and the probe: never the target."""
        probe = self.probe.trainable_variables if self.probe else []
        predictor = self.predictor.trainable_variables
        return self._averaged_online() + predictor + probe

    @property
    def trainable_weights(self):
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        trained = {id(variable) for variable in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trained]

    @property
    def non_trainable_weights(self):
        return self.non_trainable_variables

    # ---- Keras --------------------------------------------------------

    def call(self, inputs, training=False):
        return self.encoder(inputs, training=training)

    def train_step(self, data):
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self._track(self.pretrain_step(inputs, labels))

    def test_step(self, data):
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        view1, view2 = self.make_views(inputs)
        _, logs = self.loss_of_views(view1, view2, labels, training=False)
        return self._track(logs)

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
            "tau": serialize(self.tau),
            "dtype": self.dtype_policy.name,
            "seed": self.seed,
            "name": self.name,
            **self._sizes,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for key in ("encoder", "views", "tau"):
            config[key] = keras.saving.deserialize_keras_object(
                config[key], custom_objects=custom_objects
            )
        return cls(**config)


def _clone(encoder: keras.Model) -> keras.Model:
    """The same architecture with random weights of its own."""
    clone = encoder.__class__.from_config(encoder.get_config())
    if not clone.built:
        clone.build(encoder.input_shape)
    return clone


def _vector_length(encoder: keras.Model) -> int:
    if not encoder.built:
        raise ValueError(
            "`encoder` must be built: give it a `keras.Input`. "
            f"Received: {encoder.name}"
        )
    shape = getattr(encoder, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or not shape[-1]:
        raise ValueError(
            "`encoder` must be a functional or sequential model that maps its "
            "inputs to [batch, features]: wrap a subclassed one in "
            "`keras.Model(inputs, outputs)`, and pool feature maps first (see "
            f"`byol_tf.models.adapters`). Received output shape: {shape}"
        )
    return shape[-1]


def _float32(outputs: Outputs) -> Outputs:
    return Outputs(
        *(o if o is None else tf.cast(o, tf.float32) for o in outputs)
    )
