"""LARS as in the official BYOL code, and optimizers by name."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from keras import ops

from byol_tf.optim.schedules import OfUpdates


@keras.saving.register_keras_serializable("byol_tf")
class LARS(keras.optimizers.Optimizer):
    """Scales each layer's update to the size of its weights (LARS).

    For every matrix or convolution kernel `w` with gradient `g`:

        u = g + weight_decay * w
        u = u * trust_coefficient * |w| / |u|      (1 if either norm is 0)
        m = momentum * m + u
        w = w - learning_rate * m

    Biases and normalisation parameters (every variable of rank 0 or 1, and
    those given to `exclude`) get neither weight decay nor trust ratio. The
    learning rate stays outside the momentum buffer, so that changes act at
    once.

    Args:
        learning_rate: float or `LearningRateSchedule`.
        weight_decay: added to the gradient, before the trust ratio.
        momentum: decay of the momentum buffer.
        trust_coefficient: the paper's eta.
        clip_trust_ratio: whether to divide the trust ratio by the learning rate
            and cap it at 1, so that no step is longer than that of plain
            momentum SGD. Off in the official code; on in recipes for small
            datasets.
        **kwargs: arguments of `keras.optimizers.Optimizer`
            (`gradient_accumulation_steps`, `clipnorm`, ...).

    References: You et al. 2017; BYOL, section 3.3; the official
    `utils/optimizers.py`.
    """

    def __init__(
        self,
        learning_rate=0.2,
        weight_decay: float = 1.5e-6,
        momentum: float = 0.9,
        trust_coefficient: float = 1e-3,
        clip_trust_ratio: bool = False,
        name: str = "lars",
        **kwargs,
    ):
        # The base class would apply its own, decoupled weight decay.
        super().__init__(
            learning_rate=learning_rate, weight_decay=None, name=name, **kwargs
        )
        if not 0.0 <= momentum < 1.0:
            raise ValueError(
                f"`momentum` must be in [0, 1). Received: momentum={momentum}"
            )
        if weight_decay < 0.0 or trust_coefficient <= 0.0:
            raise ValueError(
                "`weight_decay` must not be negative and `trust_coefficient` "
                f"must be positive. Received: weight_decay={weight_decay}, "
                f"trust_coefficient={trust_coefficient}"
            )
        self.coupled_weight_decay = weight_decay
        self.momentum = momentum
        self.trust_coefficient = trust_coefficient
        self.clip_trust_ratio = clip_trust_ratio
        self._excluded = set()

    def exclude(self, variables: Sequence[keras.Variable]) -> None:
        """Exempts further variables from weight decay and trust ratio.

        Call it before the first update.
        """
        self._excluded.update(id(variable) for variable in variables)

    def build(self, variables):
        """Creates a momentum buffer for each variable, at the first call."""
        if self.built:
            return
        super().build(variables)
        self.momentums = [
            self.add_variable_from_reference(v, "momentum") for v in variables
        ]
        self._adapted = [
            len(v.shape) > 1 and id(v) not in self._excluded for v in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable by its gradient, of the same shape."""
        update = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        if self._adapted[index]:
            update = self._adapt(update, variable, learning_rate)
        buffer = self.momentums[index]
        self.assign(buffer, buffer * self.momentum + update)
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * buffer.value)

    def _adapt(self, gradient, variable, learning_rate):
        update = gradient + self.coupled_weight_decay * variable
        parameter_norm = _norm(variable)
        update_norm = _norm(update)
        usable = ops.logical_and(parameter_norm > 0, update_norm > 0)
        divisor = ops.where(usable, update_norm, ops.ones_like(update_norm))
        ratio = self.trust_coefficient * parameter_norm / divisor
        if self.clip_trust_ratio:
            rate = ops.maximum(ops.cast(learning_rate, ratio.dtype), 1e-12)
            ratio = ops.minimum(ratio / rate, 1.0)
        return update * ops.where(usable, ratio, ops.ones_like(ratio))

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "weight_decay": self.coupled_weight_decay,
                "momentum": self.momentum,
                "trust_coefficient": self.trust_coefficient,
                "clip_trust_ratio": self.clip_trust_ratio,
            }
        )
        return config


def _norm(tensor):
    return ops.sqrt(ops.sum(ops.square(tensor)))


def make_optimizer(
    name: str,
    learning_rate,
    *,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    trust_coefficient: float = 1e-3,
    clip_trust_ratio: bool = False,
    exempt: Sequence[keras.Variable] = (),
    accumulate_steps: int = 1,
) -> keras.optimizers.Optimizer:
    """Makes an optimizer by name.

    Args:
        name: "lars", "sgd" (Nesterov momentum) or "adamw".
        learning_rate: float or `LearningRateSchedule` of updates.
        weight_decay: coupled for LARS; decoupled (`w *= 1 - rate * decay`) for
            SGD and AdamW, as in Keras.
        momentum: for LARS and SGD.
        trust_coefficient: for LARS.
        clip_trust_ratio: for LARS.
        exempt: variables without weight decay; with LARS also without trust
            ratio. LARS exempts biases and normalisation parameters itself.
        accumulate_steps: batches whose mean gradient makes one update.

    Raises:
        ValueError: if the name is unknown.
    """
    accumulate = accumulate_steps if accumulate_steps > 1 else None
    common = {"gradient_accumulation_steps": accumulate}
    if accumulate and callable(learning_rate):
        learning_rate = OfUpdates(learning_rate, accumulate)
    if name == "lars":
        optimizer = LARS(
            learning_rate,
            weight_decay=weight_decay,
            momentum=momentum,
            trust_coefficient=trust_coefficient,
            clip_trust_ratio=clip_trust_ratio,
            **common,
        )
        optimizer.exclude(exempt)
        return optimizer
    if name == "sgd":
        optimizer = keras.optimizers.SGD(
            learning_rate,
            momentum=momentum,
            nesterov=True,
            weight_decay=weight_decay or None,
            **common,
        )
    elif name == "adamw":
        optimizer = keras.optimizers.AdamW(
            learning_rate, weight_decay=weight_decay, **common
        )
    else:
        raise ValueError(
            "`optimizer.name` must be 'lars', 'sgd' or 'adamw'. "
            f"Received: {name!r}"
        )
    if weight_decay and exempt:
        optimizer.exclude_from_weight_decay(var_list=list(exempt))
    return optimizer


def longer_steps(
    variables: Sequence[keras.Variable], factor: float
) -> Callable[[], None]:
    """Multiplies the next update of some variables by `factor`.

    Call it before `optimizer.apply`, and the returned function afterwards.
    Steps of SGD, LARS and AdamW are proportional to the learning rate, so this
    is a learning rate `factor` times as large for these variables.
    """
    if factor == 1:
        return lambda: None
    old_values = [tf.identity(variable.value) for variable in variables]

    def lengthen():
        for variable, old in zip(variables, old_values, strict=True):
            update = variable.value - old
            variable.assign(old + tf.cast(factor, old.dtype) * update)

    return lengthen
