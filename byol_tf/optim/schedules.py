"""Learning rate and target decay as functions of the step."""

import math

import keras
import tensorflow as tf

from byol_tf.checks import check_number


def scaled_learning_rate(base_lr: float, batch_size: int) -> float:
    """Scales a rate for a batch of 256 linearly to a batch size.

    Reference: BYOL, section 3.3; Goyal et al. 2017.
    """
    return base_lr * batch_size / 256


@keras.saving.register_keras_serializable("byol_tf")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Raises the rate linearly from 0 to `peak`, then lowers it by a cosine.

    Args:
        peak: highest learning rate, reached at `warmup_steps`.
        total_steps: step at which the rate is 0 again.
        warmup_steps: number of warm-up steps; 0: start at `peak`.

    Raises:
        ValueError: if a number is negative, or the warm-up is not shorter than
            the schedule.

    Reference: BYOL, section 3.3; `learning_schedule` in the official code.
    """

    def __init__(
        self, peak: float, total_steps: int, warmup_steps: int = 0, name=None
    ):
        super().__init__()
        if not peak >= 0:
            raise ValueError(
                "`peak` (the learning rate) must not be negative. "
                f"Received: peak={peak}"
            )
        if not 0 <= warmup_steps < total_steps:
            raise ValueError(
                "`warmup_steps` must be at least 0 and below `total_steps`. "
                f"Received: warmup_steps={warmup_steps}, "
                f"total_steps={total_steps}"
            )
        self.peak = float(peak)
        self.total_steps = int(total_steps)
        self.warmup_steps = int(warmup_steps)
        self.name = name

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        warmup = step / max(self.warmup_steps, 1)
        span = self.total_steps - self.warmup_steps
        progress = tf.clip_by_value((step - self.warmup_steps) / span, 0.0, 1.0)
        cosine = 0.5 * (1.0 + tf.cos(math.pi * progress))
        return self.peak * tf.where(step < self.warmup_steps, warmup, cosine)

    def get_config(self):
        """Returns the arguments, for `from_config`."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("byol_tf")
class OfUpdates(keras.optimizers.schedules.LearningRateSchedule):
    """Follows a schedule of updates where Keras counts accumulated batches.

    Args:
        schedule: the rate by the number of updates.
        batches: batches of an update.
    """

    def __init__(self, schedule, batches: int):
        super().__init__()
        self.schedule, self.batches = schedule, batches

    def __call__(self, step):
        return self.schedule(tf.cast(step, tf.int64) // self.batches)

    def get_config(self):
        """Returns the arguments, for `from_config`."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "batches": self.batches}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["batches"])


@keras.saving.register_keras_serializable("byol_tf")
class CosineTau(keras.optimizers.schedules.LearningRateSchedule):
    """Raises the target's decay from `base` to 1 along half a cosine.

    Args:
        base: tau at step 0, in [0, 1].
        total_steps: step at which tau is 1.

    Raises:
        ValueError: if `base` is outside [0, 1] or `total_steps` below 1.

    Reference: BYOL, section 3.3: `1 - (1 - base) (cos(pi k / K) + 1) / 2`.
    """

    def __init__(self, base: float, total_steps: int):
        super().__init__()
        self.base = check_tau(base)
        self.total_steps = int(check_number("total_steps", total_steps, 1))

    def __call__(self, step):
        progress = tf.cast(step, tf.float32) / self.total_steps
        progress = tf.minimum(progress, 1.0)
        return (
            1.0 - (1.0 - self.base) * (tf.cos(math.pi * progress) + 1.0) / 2.0
        )

    def get_config(self):
        """Returns the arguments, for `from_config`."""
        return {"base": self.base, "total_steps": self.total_steps}


def check_tau(tau: float) -> float:
    """Returns `tau`, or raises a ValueError if it is outside [0, 1]."""
    if not 0.0 <= tau <= 1.0:
        raise ValueError(
            "`tau` (the decay of the target network) must be in [0, 1]. "
            f"Received: tau={tau}"
        )
    return float(tau)


def check_tau_or_schedule(_name: str, tau: object) -> None:
    """Raises a ValueError for a number outside [0, 1]; allows schedules."""
    if isinstance(tau, (int, float)):
        check_tau(tau)
