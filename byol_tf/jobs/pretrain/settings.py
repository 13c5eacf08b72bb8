"""Settings of a pretraining run besides model and data."""

import dataclasses

from byol_tf.checks import check_choice, check_number, check_positive
from byol_tf.training.health import ACTIONS


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a run: fields of `configs/base.py`, explained there.

    Two differ from the configuration: `batch_size` is that of one step, and
    `jit_compile` is whether the whole step is compiled with XLA.
    """

    batch_size: int
    epochs: int
    seed: int
    log_every: int
    peak_tflops: float
    monitor_every_epochs: int
    monitor_knn: bool
    monitor_samples: int
    monitor_stop_on_collapse: bool
    checkpoint_every_seconds: float
    checkpoint_keep: int
    faults_action: str
    faults_in_a_row: int
    save_encoder_every: int
    jit_compile: bool

    def __post_init__(self):
        check_number("batch_size", self.batch_size, 2)  # for batch statistics
        check_number("epochs", self.epochs, 1)
        check_number("seed", self.seed, 0)
        check_number("log_every", self.log_every, 1)
        check_number("peak_tflops", self.peak_tflops, 0)
        check_number("monitor.every_epochs", self.monitor_every_epochs, 1)
        check_number("monitor.samples", self.monitor_samples, 2)
        seconds = self.checkpoint_every_seconds
        check_positive("checkpoint.every_seconds", seconds)
        check_number("checkpoint.keep", self.checkpoint_keep, 1)
        check_choice("faults.action", self.faults_action, ACTIONS)
        check_number("faults.in_a_row", self.faults_in_a_row, 1)
        check_number("save_encoder_every", self.save_encoder_every, 0)
