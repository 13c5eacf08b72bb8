"""The part that all methods of pretraining share: everything but the loss.

    view1, view2   = views(batch)
    representation = encoder(view)
    projection     = projector(representation)
    prediction     = predictor(projection)       if there is a predictor
    loss           = objective(view1, view2)     of the method
    encoder       <- encoder - optimizer(gradient of loss)

A method is a subclass with an `objective`. `byol_tf.methods.byol` adds the
target network; `byol_tf.methods.joint` has the methods without target network
and predictor; `byol_tf.methods.online` holds the code that Keras needs.
"""

import functools
from typing import ClassVar

import keras
import tensorflow as tf

from byol_tf.checks import check_integer, check_positive
from byol_tf.distribute.replicas import gather_replicas, on_all_replicas
from byol_tf.layers.heads import mlp, vector_length
from byol_tf.losses.objectives import classification, feature_spread
from byol_tf.methods.online import OnlineModel
from byol_tf.methods.outputs import Outputs
from byol_tf.optim import finite_update as faults
from byol_tf.optim.optimizers import longer_steps
from byol_tf.seeds import step_seed


class Pretrainer(OnlineModel):
    """Pretrains an encoder without labels.

    Use `compile(optimizer)` and `fit(dataset)` as with any Keras model. The
    dataset yields batches of inputs, or `(inputs, labels)`. Labels only train a
    linear probe that shows progress; they never reach the encoder. `call` is
    the encoder, so `model.predict(x)` returns representations.

    Args:
        encoder: functional or built sequential Keras model, `[batch, ...]` to
            `[batch, features]`.
        views: `views(inputs, seed) -> (view1, view2)` with `seed` int32 `[2]`
            for stateless random ops, such as `byol_tf.TwoViews`. None: the
            dataset yields `(view1, view2)` in place of the inputs.
        hidden_size: hidden width of the projector.
        projection_size: length of projections and predictions.
        projector_layers: linear layers of the projector.
        predictor_hidden_size: hidden width of the predictor; 0: no predictor,
            so that predictions equal projections.
        normalize_projection: whether the projector ends with a batch norm
            without scale and offset, as in SimSiam and MoCo v3.
        predictor_lr_multiplier: factor on the learning rate of the predictor;
            above 0. BYOL's authors raise it in their appendix on near-optimal
            predictors.
        probe_classes: number of classes of the linear probe; 0: no probe.
        seed: seed of the views.
        dtype: Keras dtype policy of projector and predictor; the encoder has
            its own. With "mixed_float16", `compile` scales the loss.

    Raises:
        ValueError: if an argument has an invalid value.
    """

    # Functions `check(name, value)` by argument; a method adds its own.
    checks: ClassVar = {
        "hidden_size": functools.partial(check_integer, low=1),
        "projection_size": functools.partial(check_integer, low=1),
        "projector_layers": functools.partial(check_integer, low=2),
        "predictor_hidden_size": functools.partial(check_integer, low=0),
        "predictor_lr_multiplier": check_positive,
    }
    # Keys of `rates`, which are logged besides the losses.
    rate_names = ("learning_rate",)

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        hidden_size: int,
        projection_size: int,
        projector_layers: int = 2,
        predictor_hidden_size: int = 0,
        normalize_projection: bool = False,
        predictor_lr_multiplier: float = 1.0,
        probe_classes: int = 0,
        seed: int = 0,
        dtype=None,
        **kwargs,
    ):
        # The encoder converts its inputs itself, after normalising them.
        super().__init__(dtype=dtype, autocast=False, **kwargs)
        self._features = vector_length(encoder)
        self._sizes = {
            "hidden_size": hidden_size,
            "projection_size": projection_size,
            "projector_layers": projector_layers,
            "predictor_hidden_size": predictor_hidden_size,
            "normalize_projection": normalize_projection,
            "predictor_lr_multiplier": predictor_lr_multiplier,
            "probe_classes": probe_classes,
        }
        self.check(**self._sizes)
        self.encoder = encoder
        self.projector = self.make_projector("projector")
        self.predictor = self._make_predictor()
        self.make_target()
        self.views = views
        self.seed = seed
        # Counts batches, also those without an update of the weights.
        self.step = self.add_weight(
            shape=(), dtype="int64", trainable=False, name="step"
        )
        self.probe = None
        if probe_classes:
            self.probe = keras.layers.Dense(
                probe_classes, name="probe", dtype="float32"
            )
            self.probe.build((None, self._features))
        self.built = True

    @classmethod
    def check(cls, **arguments) -> None:
        """Raises a ValueError for an argument that the constructor refuses.

        Needs no encoder, so that a configuration can be checked early.
        """
        for name, value in arguments.items():
            if name in cls.checks:
                cls.checks[name](name, value)

    def keep(self, **numbers: float) -> None:
        """Checks numbers of the loss, and stores them as attributes."""
        self.check(**numbers)
        for name, value in numbers.items():
            setattr(self, name, float(value))
            self._sizes[name] = float(value)

    # ---- for a method to define ---------------------------------------

    def objective(self, view1, view2, training: bool):
        """Computes the loss of two views of a batch.

        Each view passes through each network separately, so that batch
        statistics are those of one view.

        Returns:
            `(loss, representation)`: float32 scalar to minimise, and the online
            representation of view 1, float32 `[batch, features]`.
        """
        raise NotImplementedError

    def make_target(self) -> None:
        """Makes the target network, if the method has one."""

    def target(self, view: tf.Tensor, training: bool = True) -> Outputs:
        """Returns what predictions are compared with: online outputs, here.

        Arguments and shapes are as in `online`.
        """
        return self.online(view, training)

    def rates(self, updates: tf.Tensor) -> dict:
        """Returns scalars that follow a schedule, after `updates` updates."""
        return {"learning_rate": self.optimizer.learning_rate}

    def after_update(self, rates: dict, updated: tf.Tensor) -> None:
        """Runs after the optimizer.

        Args:
            rates: the `rates` of this step.
            updated: bool scalar; false if the optimizer only accumulated
                gradients, or float16 overflowed.
        """

    # ---- shared by all methods ----------------------------------------

    def online(self, view: tf.Tensor, training: bool = True) -> Outputs:
        """Runs the online network.

        Args:
            view: `[batch, ...]`, one view as the encoder takes it.
            training: whether batch norms use the batch's own statistics.

        Returns:
            Float32: representation `[batch, features]`, projection and
            prediction `[batch, projection_size]`.
        """
        representation = self.encoder(view, training=training)
        projection = self.projector(representation, training=training)
        prediction = self.predictor(projection, training=training)
        return Outputs(representation, projection, prediction).float32()

    def loss_of_views(self, view1, view2, labels=None, training=True):
        """Computes the loss of one batch, and numbers to log.

        Args:
            view1: first view of the batch.
            view2: second view.
            labels: int `[batch]` for the probe, -1 if unknown; or None.
            training: whether to use batch statistics, as the algorithm does, or
                the moving averages.

        Returns:
            `(loss, logs)`: float32 scalar to minimise, and float32 scalars by
                name.
        """
        loss, representation = self.objective(view1, view2, training)
        logs = {
            "loss": loss,
            "batch_feature_std": feature_spread(
                gather_replicas(tf.stop_gradient(representation))
            ),
        }
        if self.probe is None or labels is None:
            return loss, logs
        # Labels stop here: no gradient of the probe reaches the encoder.
        logits = self.probe(tf.stop_gradient(representation))
        probe_loss, logs["probe_accuracy"] = classification(logits, labels)
        logs["probe_loss"] = probe_loss
        return loss + probe_loss, logs

    def pretrain_step(self, inputs, labels=None) -> dict[str, tf.Tensor]:
        """Makes the views, computes the loss, and updates every network once.

        Skips the update if the loss or a gradient is not finite.

        Args:
            inputs: what `views` takes, or two views `[batch, ...]` without it.
            labels: int `[batch]` for the probe, -1 if unknown; or None.

        Returns:
            Float32 scalars: the logs of `loss_of_views`, those of `rates`, and
            `skipped`, 1 if the update was skipped, else 0.
        """
        view1, view2 = self.make_views(inputs)
        updates = tf.identity(self.optimizer.iterations)
        rates = self.rates(updates)
        restore = faults.remember(self._statistics())
        with tf.GradientTape() as tape:
            loss, logs = self.loss_of_views(view1, view2, labels)
            # Gradients are summed over replicas.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss / replicas)
        gradients = tape.gradient(scaled, self.trainable_variables)
        finite = on_all_replicas(faults.is_finite(loss, gradients))
        lengthen = longer_steps(
            [v for p in self._predictors for v in p.trainable_variables],
            self._sizes["predictor_lr_multiplier"],
        )
        faults.update_if(
            finite, self.optimizer, gradients, self.trainable_variables, restore
        )
        lengthen()
        self.after_update(rates, self.optimizer.iterations > updates)
        self.step.assign_add(1)
        rates["skipped"] = tf.logical_not(finite)
        rates = {key: tf.cast(rate, tf.float32) for key, rate in rates.items()}
        return {**logs, **rates}

    def _statistics(self):
        """Returns variables that layers update themselves: moving averages."""
        parameters = {id(variable) for variable in self.parameters}
        return [
            v
            for v in self.variables
            if not v.trainable and id(v) not in parameters
        ]

    def make_views(self, inputs):
        """Makes the two views of a batch, seeded by seed, step and replica."""
        if self.views is None:
            return inputs
        return self.views(inputs, seed=self.view_seed())

    def view_seed(self) -> tf.Tensor:
        """Returns the seed of the views of a step and replica, int32 `[2]`."""
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        return step_seed(self.seed, self.step.value, replica)

    def make_projector(self, name: str) -> keras.Model:
        """Makes a projector of the method's shape, with new weights."""
        return mlp(
            self._features,
            self._sizes["hidden_size"],
            self._sizes["projection_size"],
            layers=self._sizes["projector_layers"],
            normalized=self._sizes["normalize_projection"],
            name=name,
            dtype=self.dtype_policy,
        )

    def _make_predictor(self):
        common = {"name": "predictor", "dtype": self.dtype_policy}
        hidden_size = self._sizes["predictor_hidden_size"]
        if hidden_size == 0:
            return keras.layers.Identity(**common)
        size = self._sizes["projection_size"]
        return mlp(size, hidden_size, size, **common)
