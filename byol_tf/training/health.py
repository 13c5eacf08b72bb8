"""Handling of failed steps, and of data that cannot be learned from."""

import math
import warnings

import keras
import numpy as np

from byol_tf.checks import check_choice
from byol_tf.evaluation.collapse import Diagnosis
from byol_tf.training.monitors import NotFiniteWarning

ACTIONS = ("skip", "stop")
READ_EVERY = 10  # steps, since reading a number waits for the device
BLANK_SHARE = 0.5  # share of constant examples that gives a warning


class TrainingFault(ValueError):
    """Raised if training cannot continue with this configuration."""


class NothingToLearnWarning(UserWarning):
    """Warns that the data or the learning rate leave nothing to learn."""


class FaultMonitor(keras.callbacks.Callback):
    """Handles steps whose loss or gradients are not finite.

    Such a step makes no update and logs `skipped`, which is read every
    `READ_EVERY` steps. Steps that overflow float16's loss scaling are counted,
    but give no warning, and "stop" does not end the training for them.

    Place it before the callbacks that report and save.

    Args:
        action: "skip" continues with the next batch; "stop" ends the training
            and stores the reason in `failure`.
        in_a_row: number of consecutive skipped steps that raises
            `TrainingFault`, whatever the action, since then a single batch is
            not the cause.

    Attributes:
        skipped: steps without update since the beginning of the run.
        failure: None, or why "stop" ended the training.
    """

    def __init__(self, action: str = "skip", *, in_a_row: int = 50):
        super().__init__()
        self.action = check_choice("action", action, ACTIONS)
        self.most_in_a_row = in_a_row
        self.failure = None
        self.set_state({})

    def state(self) -> dict:
        """Returns the state to save in a checkpoint."""
        return {
            "skipped": self.skipped,
            "in_a_row": self.in_a_row,
            "warned": self.warned,
            "unread": [
                [step, float(skipped), float(loss)]
                for step, skipped, loss in self._unread
            ],
        }

    def set_state(self, state: dict) -> None:
        """Restores a state; {} for a new run."""
        self.skipped = state.get("skipped", 0)
        self.in_a_row = state.get("in_a_row", 0)
        self.warned = state.get("warned", False)
        self._unread = [
            (step, skipped, math.nan if loss is None else loss)
            for step, skipped, loss in state.get("unread", [])
        ]

    def on_train_batch_end(self, batch, logs=None):
        self._unread.append((batch, logs["skipped"], logs["loss"]))
        if (batch + 1) % READ_EVERY == 0:
            self._read()

    def on_epoch_end(self, epoch, logs=None):
        self._read()

    def _read(self):
        unread, self._unread = self._unread, []
        for step, skipped, loss in unread:
            if float(skipped):
                self._react(step, float(loss))
            else:
                self.in_a_row = 0

    def _react(self, step, loss):
        self.skipped += 1
        self.in_a_row += 1
        if self.in_a_row >= self.most_in_a_row:
            raise TrainingFault(
                f"{self.in_a_row} steps in a row, up to step {step}, gave a "
                "loss or gradients that are NaN or infinite "
                f"(faults.in_a_row): {self._advice()}"
            )
        if self._scales_loss() and math.isfinite(loss):
            return
        source = "gradients" if math.isfinite(loss) else "loss"
        problem = f"not_finite: NaN or infinity in the {source} of step {step}"
        if not self.warned:
            self.warned = True
            warnings.warn(
                f"{problem}; the update was skipped. {self._advice()}",
                NotFiniteWarning,
                stacklevel=2,
            )
        if self.action == "stop":
            self.failure = (
                f"{problem} (faults.action=stop). Nothing of it is in the "
                "weights; run the same command to go on after it"
            )
            self.model.stop_training = True

    def _scales_loss(self):
        scaling = keras.optimizers.LossScaleOptimizer
        return isinstance(self.model.optimizer, scaling)

    def _advice(self):
        advice = (
            "if that happens again and again, lower the learning rate "
            "(optimizer.base_lr), lengthen the warm-up "
            "(optimizer.warmup_epochs), and look for NaN among the inputs"
        )
        if self._scales_loss():
            scale = float(self.model.optimizer.dynamic_scale.numpy())
            advice += (
                f"; float16 overflows at a loss scale of {scale:g}: try "
                "precision=mixed_bfloat16 or float32"
            )
        return advice


def diagnose_examples(examples: np.ndarray) -> Diagnosis | None:
    """Returns why examples are useless for training, or None.

    Args:
        examples: `[n, ...]`, some hundreds of the training examples; texts are
            `[n]`.

    Returns:
        "identical_examples" if all are the same; "constant_examples" if half of
        them or more have a single value.
    """
    flat = np.asarray(examples).reshape(len(examples), -1)
    if len(flat) > 1 and (flat == flat[0]).all():
        return Diagnosis(
            "identical_examples",
            f"the {len(flat)} training examples that were looked at are the "
            "same. Check data.dir and how the files were written",
        )
    blank = float((flat == flat[:, :1]).all(axis=1).mean())
    if blank >= BLANK_SHARE and flat.shape[1] > 1:  # a text is one value
        return Diagnosis(
            "constant_examples",
            f"{blank:.0%} of the training examples that were looked at have "
            "one value throughout. Check data.dir and how the files were "
            "written",
        )
    return None
