"""How much of the machine's peak a run reaches, while it runs."""

import collections
import time

import keras

TERA = 1e12


class Utilisation(keras.callbacks.Callback):
    """Adds `mfu` to the logs of every step: model-FLOPs utilisation.

    Mean over the last `steps` steps of the epoch; time between epochs, where
    the monitors measure, does not count. Put it before the callbacks that
    write the logs.

    Args:
        flops_per_image: of a training step, see `byol_tf.training.flops.step`.
        batch_size: inputs of one step.
        peak_tflops: TFLOP/s of all devices together.
        steps: that the mean is over.

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


def reached(flops_per_image: float, images: int, seconds: float) -> dict:
    """Mean TFLOP/s of a run, for `train.json`; None if `seconds` is 0.

    Args:
        flops_per_image: of a training step.
        images: trained on, each as often as it was.
        seconds: that took, monitors included.
    """
    tflops = None
    if seconds:
        tflops = flops_per_image * images / seconds / TERA
    return {"flops_per_image": flops_per_image, "tflops": tflops}


def utilisation(rate: float, flops_per_image: float, peak: float) -> float:
    """Share of a peak, in FLOP/s, that `rate` images a second reach."""
    return rate * flops_per_image / peak
