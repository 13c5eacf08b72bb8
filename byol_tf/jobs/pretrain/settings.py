"""Numbers of a pretraining run that are neither model nor data."""

import dataclasses


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
    seed: int = 0
    log_every: int = 50
    peak_tflops: float = 0.0
    monitor_every: int = 1
    monitor_knn: bool = True
    monitor_samples: int = 1000
    stop_on_collapse: bool = False
    checkpoint_seconds: float = 120.0
    checkpoint_keep: int = 2
    fault_action: str = "skip"
    fault_in_a_row: int = 50
    jit_compile: bool = False
