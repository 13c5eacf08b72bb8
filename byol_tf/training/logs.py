"""Keras callbacks that report: progress bar, metrics.jsonl, TensorBoard."""

import math
import os
import pathlib
import time

import keras
import tensorflow as tf
from absl import logging

from byol_tf.files import flush, naming, to_json, whole_file, write_text
from byol_tf.lines import progress_bar, restart
from byol_tf.training.metrics import damage_message, read_lines


class _Window:
    """Means over the finite values of the logs since the last reading.

    Keeps tensors and reads them together, so that no step waits for the device.
    """

    def __init__(self, sums: dict[str, list] | None = None):
        self.logs = []
        self._sums = sums or {}  # sum and number of values by key

    def sums(self) -> dict[str, list]:
        """Returns the sums so far; a window made from them goes on exactly."""
        logs, self.logs = self.logs, []
        for entry in logs:
            for key, value in entry.items():
                value, pair = float(value), self._sums.setdefault(key, [0.0, 0])
                if math.isfinite(value):
                    pair[0] += value
                    pair[1] += 1
        return self._sums

    def means(self) -> dict[str, float]:
        sums, self._sums = self.sums(), {}
        return {
            key: total / count if count else math.nan
            for key, (total, count) in sums.items()
        }


class _Windowed(keras.callbacks.Callback):
    """Writes the means of the logs every `log_every` steps."""

    def __init__(self, log_every: int):
        super().__init__()
        self.log_every = max(1, log_every)
        self.window = _Window()
        self.steps_done = 0

    def on_train_begin(self, logs=None):
        self.steps_done = int(self.model.step.numpy())

    def on_train_batch_end(self, batch, logs=None):
        self.steps_done += 1
        self.window.logs.append(logs)
        if self.steps_done % self.log_every == 0:
            self.write_means(self.window.means())

    def write_means(self, means: dict[str, float]) -> None:
        raise NotImplementedError

    def state(self) -> dict:
        """Returns the state to save: the sums since the last means."""
        return {"window": self.window.sums()}

    def set_state(self, state: dict) -> None:
        """Restores a state; {} for a new run."""
        self.window = _Window(state.get("window"))


class MetricsFile(_Windowed):
    """Writes `metrics.jsonl`, one JSON object per line.

    Every `log_every` steps it writes the means of the finite logs of these
    steps, and at the end of an epoch the results of the monitors. Each line
    has `step` (steps done), `epoch` (a fraction) and `seconds` (of training,
    over all restarts). On resuming, lines after the restored step are dropped,
    since these steps are repeated.
    """

    def __init__(self, path, *, steps_per_epoch: int, log_every: int = 50):
        super().__init__(log_every)
        self.path = pathlib.Path(path)
        self.steps_per_epoch = steps_per_epoch
        self._seconds_before = self.started = None

    def state(self):
        if self.path.exists():
            flush(self.path)  # before the checkpoint that relies on it
        return {**super().state(), "seconds": self._seconds()}

    def set_state(self, state):
        super().set_state(state)
        self._seconds_before = state.get("seconds")

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        lines = read_lines(self.path)
        self._set_aside(lines)
        entries = [
            line for line in lines.good if line["step"] <= self.steps_done
        ]
        if self.steps_done >= self.log_every and not entries:
            logging.warning(
                "%s has no line for the first %d steps; they are not written "
                "again.",
                *(self.path, self.steps_done),
            )
        if self._seconds_before is None:
            self._seconds_before = entries[-1]["seconds"] if entries else 0.0
        self.started = time.perf_counter() - self._seconds_before
        write_text(self.path, "".join(to_json(line) + "\n" for line in entries))

    def _set_aside(self, lines):
        """Moves damaged lines to a separate file."""
        if not lines.damaged:
            return
        damaged_file = self.path.with_suffix(".damaged")
        logging.warning(
            "%s; kept in %s",
            damage_message(self.path, lines),
            damaged_file.name,
        )
        before = damaged_file.read_bytes() if damaged_file.exists() else b""
        with whole_file(damaged_file) as temporary:
            texts = [line + b"\n" for _, line in lines.damaged]
            temporary.write_bytes(before + b"".join(texts))

    def _seconds(self):
        if self.started is None:
            return self._seconds_before or 0.0
        return round(time.perf_counter() - self.started, 3)

    def on_epoch_end(self, epoch, logs=None):
        if logs:
            self.write_means({key: float(v) for key, v in logs.items()})

    def write_means(self, values):
        line = {
            "step": self.steps_done,
            "epoch": round(self.steps_done / self.steps_per_epoch, 4),
            "seconds": self._seconds(),
            **{key: round(value, 6) for key, value in values.items()},
        }
        with naming(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(to_json(line) + "\n")


class ProgressBar(keras.callbacks.Callback):
    """Shows epoch, step, loss, inputs per second and time left.

    Rate and time left ignore the first step, which compiles.

    Args:
        total_steps: steps of the whole run.
        batch_size: inputs per step.
        steps_per_epoch: steps per epoch, to show epochs.
        refresh: steps between two readings of the loss.
        noun: word for an input, such as "image".
    """

    def __init__(
        self,
        total_steps: int,
        batch_size: int,
        steps_per_epoch: int,
        refresh: int = 10,
        noun: str = "image",
    ):
        super().__init__()
        self.noun = noun
        self.total_steps = total_steps
        self.batch_size = batch_size
        self.epochs = -(-total_steps // steps_per_epoch)
        self.refresh = refresh
        self.postfix = {}
        self.bar = None

    def on_train_begin(self, logs=None):
        self.first_step = int(self.model.step.numpy())
        self.bar = progress_bar(
            "pretrain",
            total=self.total_steps * self.batch_size,
            initial=self.first_step * self.batch_size,
            unit=self.noun,
        )

    def on_epoch_begin(self, epoch, logs=None):
        title = f"epoch {epoch + 1}/{self.epochs}"
        self.bar.set_description(title, refresh=False)

    def on_train_batch_end(self, batch, logs=None):
        if batch % self.refresh == 0:
            self.postfix["step"] = batch + 1
            self.postfix["loss"] = f"{float(logs['loss']):.3f}"
            if "mfu" in logs:
                self.postfix["mfu"] = f"{100 * logs['mfu']:.1f}%"
            self.bar.set_postfix(self.postfix, refresh=False)
        if batch == self.first_step:
            restart(self.bar, self.batch_size)
        else:
            self.bar.update(self.batch_size)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if "knn_accuracy" in logs:
            self.postfix["knn"] = f"{100 * logs['knn_accuracy']:.1f}%"
        elif "agreement" in logs:
            self.postfix["agreement"] = f"{logs['agreement']:.3f}"
            self.postfix["rank"] = f"{logs['effective_rank']:.0f}"

    def on_train_end(self, logs=None):
        self.close()

    def close(self) -> None:
        """Ends the line of the bar if training ended by an error."""
        if self.bar is not None:
            self.bar.close()


class TensorBoardScalars(_Windowed):
    """Writes the same numbers as `MetricsFile` as TensorBoard scalars."""

    def __init__(self, directory, *, log_every: int = 50):
        super().__init__(log_every)
        self.directory = os.fsencode(directory)  # the path may not be UTF-8

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.writer = tf.summary.create_file_writer(self.directory)

    def write_means(self, means):
        self._write("train", means)

    def on_epoch_end(self, epoch, logs=None):
        self._write("monitor", logs or {})

    def on_train_end(self, logs=None):
        self.writer.close()

    def _write(self, group, values):
        with self.writer.as_default(step=self.steps_done):
            for key, value in values.items():
                tf.summary.scalar(f"{group}/{key}", value)


class Checkpoints(keras.callbacks.Callback):
    """Saves the latest state at intervals, and the best by kNN accuracy.

    Place it after the monitors; the epoch with the highest `knn_accuracy` is
    kept as `best`. Weights with NaN or infinity are not saved, so the state
    before them stays.

    Args:
        store: a `byol_tf.training.checkpoints.CheckpointStore`.
        every_seconds: seconds between two checkpoints. One is always written at
            the end, and when the user interrupts.
    """

    def __init__(self, store, *, every_seconds: float = 120.0):
        super().__init__()
        self.store = store
        self.every_seconds = every_seconds

    def on_train_begin(self, logs=None):
        self.saved_at = time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        # At this point a finished epoch has been measured.
        if time.monotonic() - self.saved_at >= self.every_seconds:
            self._save()

    def on_epoch_end(self, epoch, logs=None):
        if logs and "knn_accuracy" in logs:
            self.store.save_best(logs["knn_accuracy"])

    def on_train_end(self, logs=None):
        self._save()

    def _save(self):
        self.saved_at = time.monotonic()
        if all_finite(self.model.variables):
            self.store.save()
        else:
            logging.warning(
                "The weights are not finite; the last good checkpoint stays."
            )


def all_finite(variables) -> bool:
    """Returns whether no floating-point variable has NaN or infinity."""
    return all(
        bool(tf.reduce_all(tf.math.is_finite(variable.value)))
        for variable in variables
        if tf.as_dtype(variable.dtype).is_floating
    )
