"""Signals of free length as a modality, as somebody would add one.

    python train.py --config.modality=tests.support.toy_modality:SIGNALS

Rows are float32 `[length]`, one `.npy` file each.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.decoder import Decoder
from byol_tf.data.npy import load_npy
from byol_tf.data.rows import Unreadable
from byol_tf.modalities.contract import Card, Raw
from byol_tf.modalities.signature import DEFAULT, Signature
from byol_tf.reports.grids import views_grid

WINDOW, LEAST, MOST = 64, 16, 100_000  # samples
FORMS = ("saved_model", "graph")


def read(data) -> np.ndarray:
    """float32 `[length]` of the path or the bytes of a file."""
    signal = np.asarray(load_npy(data), np.float32)
    if signal.ndim != 1 or not LEAST <= len(signal) <= MOST:
        raise Unreadable(f"shape {signal.shape}, not [{LEAST} to {MOST}]")
    if not np.isfinite(signal).all():
        raise Unreadable("it has NaN or infinite samples")
    return signal


@keras.saving.register_keras_serializable("byol_tf_tests")
class Middle(keras.layers.Layer):
    """The middle window of every signal, `[batch, WINDOW, 1]`, scaled."""

    def __init__(self, deviation=1.0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        self.deviation = deviation

    def call(self, batch):
        signals, lengths = batch, None
        if isinstance(batch, dict):
            signals, lengths = batch["signal"], batch["length"]
        signals = tf.cast(signals, tf.float32)
        if lengths is None:
            lengths = tf.fill([tf.shape(signals)[0]], tf.shape(signals)[1])
        start = tf.maximum(lengths - WINDOW, 0) // 2
        # Short ones are repeated.
        index = (start[:, None] + tf.range(WINDOW)) % lengths[:, None]
        windows = tf.gather(signals, index, batch_dims=1)
        return windows[..., None] / self.deviation

    def get_config(self):
        return {"name": self.name, "deviation": self.deviation}


class Cuts:
    """Two random windows of a signal, each scaled and turned at random."""

    def __init__(self, deviation):
        self.deviation = deviation

    def numbers(self, seed, count):
        bits = tf.random.stateless_uniform(
            [count, 6], seed, None, None, tf.uint32, alg="philox"
        )
        bits = tf.cast(tf.bitwise.right_shift(bits, 8), tf.int32)
        return tf.cast(bits, tf.float32) * 2.0**-24

    def cut(self, row, numbers):
        length = tf.shape(row)[0]
        last = tf.maximum(length - WINDOW + 1, 1)
        starts = tf.cast(numbers[:2] * tf.cast(last, tf.float32), tf.int32)
        windows = starts[:, None] + tf.range(WINDOW)
        return tuple(tf.unstack(tf.gather(row, windows % length)))

    def __call__(self, batch, seed):
        numbers = self.numbers(seed, tf.shape(batch[0])[0])
        return tuple(
            self._change(view, numbers[:, 2 + i :: 2])
            for i, view in enumerate(batch)
        )

    def _change(self, view, numbers):
        sign = tf.where(numbers[:, :1] < 0.5, -1.0, 1.0)
        gain = 0.5 + numbers[:, 1:2]
        return (view / self.deviation * sign * gain)[..., None]


class Signals:
    """All that is special to signals."""

    name, extensions = "signal", (".npy",)
    strength = ("augment.flip", "float", 0.0, 0.5)

    def milder(self, section, row_shape):
        return (("augment.flip", 0.1, 0),)

    def decoder(self, section):
        spec = {"signal": tf.TensorSpec((None,), tf.float32)}
        return Decoder(spec=spec, decode=read, extensions=self.extensions)

    def sizes(self, shape, section=None, preprocessor=None):
        return {"window": WINDOW}

    def decode_row(self, data, sizes):
        return read(data)

    def origin(self, data):
        return {"length": len(read(data))}

    def fit(self, examples, section):
        few = np.arange(min(examples.num_examples, 64))
        few = examples.take(examples.readable_rows(few))
        signals = few["signal"] if isinstance(few, dict) else few
        return Middle(float(np.std(signals[signals != 0])))

    def views(self, section, preprocessor):
        return Cuts(preprocessor.deviation)

    def crops(self, section):
        return {}

    def train_view(self, preprocessor, crops):
        return None

    def supervised_augment(self, options):
        if options["name"] != "none" or options["mixup"] or options["cutmix"]:
            raise ValueError(f"no augmentation of signals. Received: {options}")

    def encoder(self, section, preprocessor, row_shape):
        inputs = keras.Input((WINDOW, 1))
        convolution = functools.partial(
            keras.layers.Conv1D, padding="same", activation="relu", strides=2
        )
        x = convolution(8, 9)(inputs)
        x = convolution(16, 9, name="frames")(x)
        x = keras.layers.GlobalAveragePooling1D()(x)
        return keras.Model(inputs, x, name="encoder")

    def plan(self, section, examples, accelerator):
        return {}, []

    def pretrained(self, section, preprocessor, row_shape, examples=None):
        raise ValueError("there are no published weights of signals")

    def levels(self, model):
        return {"frames": ("frames", 4)}

    def raw(self, preprocessor, sizes):
        inputs = keras.Input((WINDOW, 1))
        flat = keras.layers.Flatten()(inputs)
        return Raw("raw samples", keras.Model(inputs, flat), preprocessor)

    def inputs(self, preprocessor, sizes, form):
        if form not in FORMS:
            raise ValueError(f"`form` must be one of {FORMS}. Received: {form}")
        spec = {"signals": tf.TensorSpec([None, WINDOW], tf.float32, "signals")}
        windows = Signature(
            spec,
            lambda signals: (preprocessor(signals), None),
            {"signals": f"float32 [n, {WINDOW}]"},
            of_rows=lambda rows: np.stack([middle(row) for row in rows]),
        )
        return {"signals" if form == "graph" else DEFAULT: windows}

    def card(self, about):
        call = 'load("1").signatures["serving_default"](signals=windows)'
        return Card("signal", call, f"- It sees {WINDOW} samples.")

    def preview(self, row):
        return drawing(row, 32)

    def thumbnail(self, data, side):
        try:
            return drawing(read(data), side)
        except Unreadable:
            return None

    def draw_views(self, rows, pair, path):
        drawn = [
            np.stack([self.preview(np.ravel(row)) for row in some])
            for some in (rows, *pair)
        ]
        views_grid(*drawn, path)


def drawing(row, side):
    """A signal as a black line on white."""
    values = np.interp(np.linspace(0, len(row) - 1, side), range(len(row)), row)
    scaled = (values - values.min()) / max(np.ptp(values), 1e-6)
    picture = np.full((side, side, 3), 255, np.uint8)
    height = np.round((side - 1) * (1 - scaled)).astype(int)
    picture[height, np.arange(side)] = 0
    return picture


def middle(row):
    """The middle window of one signal, as `Middle` takes it."""
    start = max(len(row) - WINDOW, 0) // 2
    return row[(start + np.arange(WINDOW)) % len(row)]


SIGNALS = Signals()
