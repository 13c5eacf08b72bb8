"""The two views of BYOL for Audio, on log-mel frames.

Niizumi et al., "BYOL for Audio: Exploring Pre-trained General-purpose Audio
Representations", 2022 (arXiv:2204.07402), section III.
"""

from collections.abc import Mapping

import tensorflow as tf

from byol_tf.checks import check_number, check_range
from byol_tf.modalities.audio.logmel import (
    LENGTH,
    LogMel,
    to_floats,
    windows,
    with_lengths,
)
from byol_tf.seeds import fractions, named

_PLACES = 4  # positions of a window to try until one is not silent
_SILENT = 1e-3  # relative to the loudest of them: 30 dB below
# Random numbers for a view.
_DRAWS = ("partner", "share", "height", "width", "top", "left", "begin", "end")


class SoundViews:
    """Draws two views of one window of every sound.

    Both start from the log-mel frames of the same window, at a random position
    of a longer sound that is not silent. Each is mixed with another sound of
    its batch, cropped on a canvas that is longer than the window, resized and
    faded, with random numbers of its own. Then both are normalised together.

    Args:
        log_mel: computes the frames.
        mixup: largest share of the other sound's power; 0: off.
        time_crop: range of the crop's length, as a fraction of the frames; at
            most `canvas`.
        band_crop: range of the crop's height, as a fraction of the bands;
            values above 1 are clipped to 1.
        canvas: length of the canvas as a multiple of the frames, at least 1.
        fader: largest change of level at either end; 0: off.
        normalize: whether to normalise both views of a batch to mean 0 and
            standard deviation 1.
    """

    def __init__(
        self,
        log_mel: LogMel,
        mixup: float = 0.2,
        time_crop=(0.6, 1.5),
        band_crop=(0.6, 1.5),
        canvas: float = 1.5,
        fader: float = 1.0,
        normalize: bool = True,
    ):
        self.log_mel = log_mel
        self.mixup = check_number("mixup", mixup, 0, 1)
        self.canvas = check_number("canvas", canvas, 1)
        self.time_crop = check_range("time_crop", time_crop, 0, self.canvas)
        self.band_crop = check_range("band_crop", band_crop, 0)
        self.fader = check_number("fader", fader, 0)
        self.normalize = normalize

    def numbers(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        return fractions(seed, [count, _PLACES + 2 * len(_DRAWS)])

    def cut(self, row: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor]:
        """Cuts the window of both views out of int16 `[length]`."""
        batch = with_lengths(row[None])
        return (self._windows(*batch, numbers[None])[0],)

    def __call__(self, batch, seed: tf.Tensor):
        """Makes the views of windows, or of whole sounds of one length."""
        views, _ = self._draw(batch, seed)
        return views

    def draw_with_where(self, batch, seed: tf.Tensor):
        """Makes the same views, each as a pair: the view, and its place.

        A place is as of an image of one row, see `losses.positions`. It may
        reach beyond the window, at most as far as the canvas.
        """
        views, numbers = self._draw(batch, seed)
        return tuple(zip(views, map(self._place, numbers), strict=True))

    def _draw(self, batch, seed):
        is_cut = isinstance(batch, tuple | list)
        sounds, lengths = with_lengths(batch[0] if is_cut else batch)
        numbers = self.numbers(seed, tf.shape(sounds)[0])
        if not is_cut:
            sounds = self._windows(sounds, lengths, numbers)
        frames = self.log_mel.of_windows(sounds)
        halves = tf.split(numbers[:, _PLACES:], 2, axis=1)
        views = [self.change(frames, each) for each in halves]
        return tuple(_normalized(views) if self.normalize else views), halves

    def change(self, frames: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Makes one view of frames `[batch, frames, bands]`.

        Args:
            numbers: float32 `[batch, 8]` in [0, 1).
        """
        draws = named(_DRAWS, numbers)
        if self.mixup:
            other = tf.gather(frames, _partners(draws["partner"]))
            frames = log_mix(frames, other, self.mixup * draws["share"])
        frames = self._crop(frames, draws)
        if self.fader:
            ends = [draws["begin"], draws["end"]]
            frames += fade(ends, self.log_mel.frames, self.fader)
        return frames

    def _crop(self, frames, draws):
        length, bands = self.log_mel.frames, self.log_mel.bands
        across = crop_matrix(*self._span(draws, length), length)
        down = band_matrix(draws, bands, self.band_crop)
        return across @ tf.matmul(frames, down, transpose_b=True)

    def _span(self, draws, length):
        """Returns start and length of a crop in time."""
        width = length * between(draws["width"], *self.time_crop)
        left = draws["left"] * (self.canvas * length - width)
        return left - (self.canvas - 1) / 2 * length, width

    def _place(self, numbers):
        left, width = self._span(named(_DRAWS, numbers), 1.0)
        box = [tf.zeros_like(left), left, tf.ones_like(left), width]
        flip = tf.zeros_like(left, tf.bool)
        return {"box": tf.stack(box, axis=-1), "flip": flip}

    def _windows(self, sounds, lengths, numbers):
        """Picks the first loud one of the windows drawn for each sound."""
        samples = self.log_mel.samples
        room = tf.maximum(lengths - samples + 1, 1)
        positions = numbers[:, :_PLACES] * tf.cast(room, tf.float32)[:, None]
        starts = tf.minimum(tf.cast(positions, tf.int32), room[:, None] - 1)
        columns = tf.unstack(starts, axis=1)
        choices = [windows(sounds, lengths, samples, each) for each in columns]
        choices = tf.stack(choices, axis=1)
        power = tf.reduce_mean(tf.square(to_floats(choices)), axis=2)
        loud = power >= _SILENT * tf.reduce_max(power, axis=1, keepdims=True)
        first = tf.argmax(tf.cast(loud, tf.int32), axis=1)
        return tf.gather(choices, first, batch_dims=1)


class TrainView:
    """The milder view for training with labels: position, crop and level.

    Args:
        log_mel: computes the frames.
        options: arguments of `SoundViews`.
    """

    def __init__(self, log_mel: LogMel, options: Mapping):
        self._views = SoundViews(
            log_mel, **{**options, "mixup": 0.0, "normalize": False}
        )

    def __call__(self, rows, seed):
        sounds, lengths = with_lengths(rows)
        numbers = self._views.numbers(seed, tf.shape(sounds)[0])
        cut_windows = self._views._windows(sounds, lengths, numbers)
        frames = self._views.log_mel.of_windows(cut_windows)
        draws = numbers[:, _PLACES : _PLACES + len(_DRAWS)]
        return self._views.change(frames, draws), {LENGTH: lengths}


def log_mix(frames, other, share) -> tf.Tensor:
    """Adds the power of two sounds, given the logarithms of both.

    Args:
        frames, other: float32 `[batch, frames, bands]`.
        share: share of the other, float32 `[batch]` in [0, 1].
    """
    share = share[:, None, None]
    # The larger one is subtracted, so that no power overflows.
    peak = tf.maximum(frames, other)
    power, other_power = tf.exp(frames - peak), tf.exp(other - peak)
    mixed = (1 - share) * power + share * other_power
    return peak + tf.math.log(tf.maximum(mixed, 1e-12))


def fade(ends, frames: int, limit: float) -> tf.Tensor:
    """Makes a linear change of level over time, float32 `[batch, frames, 1]`.

    Args:
        ends: two float32 `[batch]` in [0, 1), scaled to -limit to limit.
        frames: number of frames.
        limit: largest change of level.
    """
    begin, end = (limit * (2 * each - 1)[:, None] for each in ends)
    time = tf.linspace(0.0, 1.0, frames)
    return (begin + (end - begin) * time)[..., None]


def crop_matrix(start, length, size: int) -> tf.Tensor:
    """Resizes a crop to the whole size, by bicubic interpolation.

    The first and the last value lie on the ends of the crop. Values outside 0
    to `size` are zero.

    Args:
        start, length: the crop, float32 `[batch]` each.
        size: size of the cropped axis, and of the result.

    Returns:
        float32 `[batch, size, size]`, to be multiplied from the left.
    """
    step = (length - 1) / max(size - 1, 1)
    at = start[:, None] + step[:, None] * tf.range(size, dtype=tf.float32)
    return _bicubic(at[..., None] - tf.range(size, dtype=tf.float32))


def band_matrix(draws: Mapping, bands: int, band_crop) -> tf.Tensor:
    """Resizes a crop of the bands, see `crop_matrix`.

    Args:
        draws: `height` and `top` of the crop, float32 `[batch]` in [0, 1).
        bands: number of bands.
        band_crop: range of the height, see `SoundViews`.
    """
    height = bands * between(draws["height"], *band_crop)
    height = tf.minimum(height, float(bands))
    return crop_matrix(draws["top"] * (bands - height), height, bands)


def _bicubic(distance, a=-0.75):
    """Computes Keys' kernel, with the constant of PyTorch's resizing."""
    x = tf.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return tf.where(x <= 1, near, tf.where(x < 2, far, 0.0))


def _partners(draws):
    """Returns the index of another row per row; a lone row gets its own."""
    count = tf.shape(draws)[0]
    num_others = tf.maximum(count - 1, 1)
    ahead = tf.cast(draws * tf.cast(num_others, tf.float32), tf.int32)
    ahead = tf.minimum(ahead, num_others - 1)
    return (tf.range(count) + 1 + ahead) % count


def _normalized(views):
    stacked = tf.stack(views)
    mean = tf.reduce_mean(stacked)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(stacked - mean)))
    return [(view - mean) / tf.maximum(deviation, 1e-6) for view in views]


def between(fraction: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Scales numbers from [0, 1) to a range."""
    return low + (high - low) * fraction
