"""Our log-mel frames and views of sounds, compiled as in training."""

import numpy as np
import tensorflow as tf

from benchmarks.workers import protocol
from byol_tf.modalities.audio.logmel import LogMel
from byol_tf.modalities.audio.views import SoundViews
from byol_tf.seeds import step_seed

RATE = 16_000


def prepare(case: dict) -> protocol.Repeated:
    """Makes frames of an array of sounds, or both views of them."""
    shape = (case["batch"], int(case["length"] * RATE))
    sounds = np.random.default_rng(0).normal(scale=3000, size=shape)
    sounds = tf.constant(sounds.astype(np.int16))
    layer = LogMel(rate=RATE, frames=1 + (shape[1] - 1024) // 160)
    views = SoundViews(layer)

    @tf.function(autograph=False, jit_compile=True)
    def make(step):
        if case["what"] == "log_mel":
            return layer(sounds)
        return views(sounds, step_seed(0, step))

    step = iter(range(2**31))

    def piece():
        outputs = tf.nest.flatten(make(tf.constant(next(step))))
        outputs[-1][0, 0, 0].numpy()  # waits for it

    units = case["batch"] * case["length"]
    return protocol.Repeated(piece, units, case["seconds"])


if __name__ == "__main__":
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras", "numpy")
