"""Numbers of a pretraining run that are neither model nor data."""

import dataclasses

from byol_tf.checks import check_choice, check_number, check_positive
from byol_tf.training.health import ACTIONS


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers of a run that are neither model nor data.

    Attributes:
        batch_size: inputs of one step.
        epochs: passes over the training inputs.
        seed: of data order and label subsets.
        log_every: steps between two lines of metrics.
        peak_tflops: TFLOP/s of all devices together, to show what share is
            reached; 0 shows none.
        monitor_every: epochs between two measurements.
        monitor_knn: measure kNN where there are labels.
        monitor_samples: held-out inputs measured.
        stop_on_collapse: end the run on collapse or NaN.
        checkpoint_seconds: time between two checkpoints.
        checkpoint_keep: checkpoints that stay.
        fault_action: after a step that was not finite: skip or stop.
        fault_in_a_row: such steps in a row that end the run.
        jit_compile: compile the whole step with XLA.
    """

    batch_size: int
    epochs: int
    seed: int
    log_every: int
    peak_tflops: float
    monitor_every: int
    monitor_knn: bool
    monitor_samples: int
    stop_on_collapse: bool
    checkpoint_seconds: float
    checkpoint_keep: int
    fault_action: str
    fault_in_a_row: int
    jit_compile: bool

    def __post_init__(self):
        check_number("batch_size", self.batch_size, 2)  # for batch statistics
        check_number("epochs", self.epochs, 1)
        check_number("seed", self.seed, 0)
        check_number("log_every", self.log_every, 1)
        check_number("peak_tflops", self.peak_tflops, 0)
        check_number("monitor.every_epochs", self.monitor_every, 1)
        check_number("monitor.samples", self.monitor_samples, 2)
        check_positive("checkpoint.every_seconds", self.checkpoint_seconds)
        check_number("checkpoint.keep", self.checkpoint_keep, 1)
        check_choice("faults.action", self.fault_action, ACTIONS)
        check_number("faults.in_a_row", self.fault_in_a_row, 1)
