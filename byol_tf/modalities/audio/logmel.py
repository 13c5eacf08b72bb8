"""Log-mel spectrograms as a layer, in two equivalent forms."""

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_choice, check_integer, check_positive

FORMS = ("fft", "dft")
FLOOR = 1e-6  # added to the power before its logarithm
_SCALE = 32_768.0  # int16 value of 1.0


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
        for name, value in (("rate", rate), ("hop", hop), ("frames", frames)):
            check_integer(name, value, 1)
        check_integer("bands", bands, 1)
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
        sounds, lengths = batch, None
        if isinstance(batch, dict):
            lengths = batch["length"]
            (sounds,) = (v for key, v in batch.items() if key != "length")
        sounds = tf.convert_to_tensor(sounds)
        if lengths is not None or sounds.shape[1] != self.samples:
            count, length = tf.unstack(tf.shape(sounds))
            if lengths is None:
                lengths = tf.fill([count], length)
            start = tf.maximum(lengths - self.samples, 0) // 2
            sounds = windows(sounds, lengths, start, self.samples)
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
    return values / _SCALE if sounds.dtype == tf.int16 else values


def windows(
    sounds: tf.Tensor, lengths: tf.Tensor, start: tf.Tensor, samples: int
) -> tf.Tensor:
    """Cuts a window out of every sound.

    Shorter sounds are centred in zeros; those shorter than half a window are
    repeated until they fill half of it.

    Args:
        sounds: `[batch, longest]`.
        lengths: int32 `[batch]`, at least 1.
        start: int32 `[batch]`, first sample of the window; 0 for sounds that
            are shorter than the window.
        samples: samples per window.

    Returns:
        `[batch, samples]` of the same dtype.
    """
    half = (samples + 1) // 2
    copies = tf.maximum((half + lengths - 1) // lengths, 1)
    total = tf.where(lengths < half, copies * lengths, lengths)
    before = tf.maximum(samples - total, 0) // 2
    place = (start - before)[:, None] + tf.range(samples)
    inside = (place >= 0) & (place < total[:, None])
    index = tf.where(inside, place % lengths[:, None], 0)
    found = tf.gather(sounds, index, batch_dims=1)
    return tf.where(inside, found, tf.zeros([], sounds.dtype))


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
