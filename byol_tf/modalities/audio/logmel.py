"""Log-mel spectrograms as a layer, in two equivalent forms."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_choice, check_integer, check_positive
from byol_tf.data.recordings.pauses import SCALE

FORMS = ("fft", "dft")
LENGTH = "length"  # name of the lengths of a batch
FLOOR = 1e-6  # added to the power before its logarithm


@keras.saving.register_keras_serializable("byol_tf")
class LogMel(keras.layers.Layer):
    """Computes normalised log-mel frames of the middle of every sound.

    log(power + 1e-6) with a periodic Hann window and no padding at the ends, on
    the HTK mel scale with triangles of height 1, as
    `librosa.feature.melspectrogram(htk=True, norm=None, center=False)`.

    Args:
        rate: samples per second.
        window: samples per frame, a power of two.
        hop: samples from one frame to the next.
        bands: number of mel bands.
        low, high: range of the bands in Hz; a `high` of 0 is half the rate.
        frames: number of frames in the output.
        mean, deviation: mean and standard deviation of the logarithms, used to
            normalise.
        form: "fft"; or "dft", two matrix products for formats without a Fourier
            transform, such as ONNX.

    Input: int16, or float in [-1, 1], `[batch, samples]`; or a dict with them
    and the `length` of each, int32 `[batch]`. Output: float32 `[batch, frames,
    bands]`. Of a longer sound the middle is used. A shorter one is centred in
    silence; one shorter than half is repeated until it fills half.
    """

    def __init__(
        self,
        rate=16_000,
        window=1024,
        hop=160,
        bands=64,
        low=60.0,
        high=7_800.0,
        frames=96,
        mean=0.0,
        deviation=1.0,
        form="fft",
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        counts = {"rate": rate, "hop": hop, "bands": bands, "frames": frames}
        for name, value in counts.items():
            check_integer(name, value, 1)
        if check_integer("window", window, 16) & (window - 1):
            raise ValueError(
                "`window` must be a power of two, as Fourier transforms on "
                f"phones need it. Received: window={window}"
            )
        high = float(high or rate / 2)
        if not 0 <= low < high <= rate / 2:
            raise ValueError(
                "`low` and `high` must ascend within 0 and half the rate, "
                f"{rate / 2:g} Hz. Received: low={low}, high={high}"
            )
        check_positive("deviation", deviation)
        self.form = check_choice("form", form, FORMS)
        self.rate, self.window, self.hop = rate, window, hop
        self.bands, self.low, self.high = bands, float(low), high
        self.frames = frames
        self.mean, self.deviation = float(mean), float(deviation)
        # NumPy: tensors would become inputs of an exported graph.
        self._mel = mel_matrix(rate, window, bands, self.low, high)
        self.built = True

    @property
    def samples(self) -> int:
        """Number of samples that the frames are computed from."""
        return self.window + (self.frames - 1) * self.hop

    def call(self, batch):
        sounds, lengths = with_lengths(batch)
        if isinstance(batch, Mapping) or sounds.shape[1] != self.samples:
            sounds = windows(sounds, lengths, self.samples)
        return self.of_windows(sounds)

    def of_windows(self, sounds: tf.Tensor) -> tf.Tensor:
        """Computes the frames of sounds `[batch, self.samples]`."""
        power = tf.matmul(self._power(to_floats(sounds)), self._mel)
        logarithm = tf.math.log(power + FLOOR)
        return (logarithm - self.mean) / self.deviation

    def _power(self, sounds):
        """Returns float32 `[batch, frames, window / 2 + 1]`."""
        if self.form == "dft":
            frames = tf.signal.frame(sounds, self.window, self.hop)
            parts = (tf.matmul(frames, m) for m in dft_matrices(self.window))
        else:
            spectrum = tf.signal.stft(sounds, self.window, self.hop)
            parts = tf.math.real(spectrum), tf.math.imag(spectrum)
        return tf.add_n([tf.square(part) for part in parts])

    def compute_output_shape(self, batch_shape):
        if isinstance(batch_shape, dict):
            batch_shape = next(iter(batch_shape.values()))
        return (batch_shape[0], self.frames, self.bands)

    def changed(self, **options) -> "LogMel":
        """Returns a layer with other options."""
        return type(self)(**{**self.get_config(), **options})

    def get_config(self):
        keys = ("rate", "window", "hop", "bands", "low", "high", "frames")
        keys += ("mean", "deviation", "form")
        return {"name": self.name, **{key: getattr(self, key) for key in keys}}


def to_floats(sounds: tf.Tensor) -> tf.Tensor:
    """Converts int16 or floats to float32 in [-1, 1]."""
    values = tf.cast(sounds, tf.float32)
    return values / SCALE if sounds.dtype == tf.int16 else values


def with_lengths(batch) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns sounds and their lengths.

    Args:
        batch: sounds `[batch, longest]` that are all as long, or a dict of them
            and their `length`, int32 `[batch]`.
    """
    if isinstance(batch, Mapping):
        (sounds,) = (v for key, v in batch.items() if key != LENGTH)
        return tf.convert_to_tensor(sounds), batch[LENGTH]
    sounds = tf.convert_to_tensor(batch)
    count, length = tf.unstack(tf.shape(sounds))
    return sounds, tf.fill([count], length)


def windows(
    sounds: tf.Tensor,
    lengths: tf.Tensor,
    samples: int,
    start: tf.Tensor | None = None,
) -> tf.Tensor:
    """Cuts a window out of every sound `[batch, longest]`.

    Other arguments are those of `places`.

    Returns:
        `[batch, samples]` of the same dtype.
    """
    index = places(lengths, samples, start)
    values = tf.gather(sounds, tf.maximum(index, 0), batch_dims=1)
    return tf.where(index >= 0, values, tf.zeros([], sounds.dtype))


def places(
    lengths: tf.Tensor, samples: int, start: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns which samples of every sound make up its window; -1 for zeros.

    Shorter sounds are centred in zeros; those shorter than half a window are
    repeated until they fill half of it.

    Args:
        lengths: int32 or int64 `[batch]`, at least 1.
        samples: samples per window.
        start: first sample of the window, of the same dtype and shape; 0 for
            sounds that are shorter than the window. None: the middle window.

    Returns:
        `[batch, samples]` of the same dtype.
    """
    if start is None:
        start = tf.maximum(lengths - samples, 0) // 2
    half = (samples + 1) // 2
    copies = tf.maximum((half + lengths - 1) // lengths, 1)
    total = tf.where(lengths < half, copies * lengths, lengths)
    padding = tf.maximum(samples - total, 0) // 2
    index = (start - padding)[:, None] + tf.range(samples, dtype=lengths.dtype)
    inside = (index >= 0) & (index < total[:, None])
    return tf.where(inside, index % lengths[:, None], -1)


def mel_matrix(
    rate: int, window: int, bands: int, low: float, high: float
) -> np.ndarray:
    """Makes triangles of height 1 at equal steps of the HTK mel scale.

    Returns:
        float32 `[window / 2 + 1, bands]`.
    """
    ends = 2595 * np.log10(1 + np.array([low, high]) / 700)
    edges = 700 * (10 ** (np.linspace(*ends, bands + 2) / 2595) - 1)
    bins = np.arange(window // 2 + 1) * rate / window
    ramps = bins[:, None] - edges
    steps = np.diff(edges)
    up = ramps[:, :-2] / steps[:-1]
    down = -ramps[:, 2:] / steps[1:]
    return np.maximum(0, np.minimum(up, down)).astype(np.float32)


def dft_matrices(window: int) -> tuple[np.ndarray, np.ndarray]:
    """Makes cosines and sines with a periodic Hann window.

    Returns:
        Two float32 `[window, window / 2 + 1]`.
    """
    samples = np.arange(window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * samples / window)
    # The product modulo `window` keeps the angles exact.
    turns = np.outer(samples, np.arange(window // 2 + 1)) % window / window
    angles = 2 * np.pi * turns
    return tuple(
        (hann[:, None] * wave(angles)).astype(np.float32)
        for wave in (np.cos, np.sin)
    )
