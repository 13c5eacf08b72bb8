"""Model-FLOPs utilisation of a run."""

import collections
import time

import keras

TERA = 1e12


class Utilisation(keras.callbacks.Callback):
    """Adds `mfu`, the model-FLOPs utilisation, to the logs of every step.

    It is the mean over the last `steps` steps of the epoch; time between
    epochs, when monitors measure, does not count. Place it before the callbacks
    that write the logs.

    Args:
        flops_per_image: FLOPs of a training step per image, see
            `byol_tf.training.flops.step`.
        batch_size: inputs per step.
        peak_tflops: TFLOP/s of all devices together.
        steps: number of steps to average over.

    Reference: Chowdhery et al. 2022 (PaLM), appendix B.
    """

    def __init__(
        self,
        flops_per_image: float,
        batch_size: int,
        peak_tflops: float,
        steps: int = 50,
    ):
        super().__init__()
        self.flops_per_image = flops_per_image
        self.batch_size = batch_size
        self.peak = peak_tflops * TERA
        self.times = collections.deque(maxlen=steps + 1)

    def on_epoch_begin(self, epoch, logs=None):
        self.times.clear()
        self.times.append(time.perf_counter())

    def on_train_batch_end(self, batch, logs=None):
        self.times.append(time.perf_counter())
        seconds = self.times[-1] - self.times[0]
        rate = (len(self.times) - 1) * self.batch_size / seconds
        logs["mfu"] = utilisation(rate, self.flops_per_image, self.peak)


def throughput(flops_per_image: float, images: int, seconds: float) -> dict:
    """Returns the mean TFLOP/s of a run, for `train.json`.

    Args:
        flops_per_image: FLOPs of a training step per image.
        images: images trained on, counting repetitions.
        seconds: duration, monitors included; the result is None for 0.
    """
    tflops = None
    if seconds:
        tflops = flops_per_image * images / seconds / TERA
    return {"flops_per_image": flops_per_image, "tflops": tflops}


def utilisation(rate: float, flops_per_image: float, peak: float) -> float:
    """Returns the share of a peak in FLOP/s, for `rate` images per second."""
    return rate * flops_per_image / peak
