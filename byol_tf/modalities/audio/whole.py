"""Log-mel frames of whole sounds, for tasks with an output per frame."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from byol_tf.modalities.audio.logmel import (
    LENGTH,
    LogMel,
    to_floats,
    with_lengths,
)
from byol_tf.modalities.audio.views import band_matrix, between, fade
from byol_tf.seeds import fractions, named

FRAMES = "log_mel"
# Frames of zeros after the longest sound: convolutions reach less far, so that
# what they make of a sound does not depend on the length of its batch.
MARGIN = 64
SPEED = (0.85, 1.15)  # range in training
_DRAWS = ("speed", "height", "top", "begin", "end")


@keras.saving.register_keras_serializable("byol_tf")
class WholeLogMel(LogMel):
    """Computes normalised log-mel frames of whole sounds, see `LogMel`.

    Output: a dict of `log_mel`, float32 `[batch, longest, bands]`, zero after
    the end of each sound, and `length`, int32 `[batch]`, one frame per `hop`
    samples, rounded up.
    """

    def call(self, batch):
        return self.of_sounds(*with_lengths(batch))

    def of_sounds(self, sounds: tf.Tensor, lengths: tf.Tensor) -> dict:
        """Computes the frames of sounds `[batch, longest]` of these lengths."""
        # Batches are padded to few lengths; the padding is not needed here.
        longest = tf.reduce_max(lengths)
        sounds = sounds[:, :longest]
        frames = self.steps(longest) + MARGIN
        samples = self.window + (frames - 1) * self.hop
        padding = tf.maximum(samples - longest, 0)
        log_mel = self.of_windows(
            tf.pad(sounds, [[0, 0], [0, padding]])[:, :samples]
        )
        count = self.steps(lengths)
        inside = tf.sequence_mask(count, tf.shape(log_mel)[1])
        # LiteRT does not support `[..., None]` of bools.
        inside = tf.expand_dims(inside, -1)
        return {FRAMES: tf.where(inside, log_mel, 0.0), LENGTH: count}

    def steps(self, lengths):
        """Returns numbers of frames from numbers of samples, ints."""
        # Without negative numbers, which ONNX rounds the other way.
        return (lengths + self.hop - 1) // self.hop

    def compute_output_shape(self, batch_shape):
        count = super().compute_output_shape(batch_shape)[0]
        return {FRAMES: (count, None, self.bands), LENGTH: (count,)}


class WholeTrainView:
    """Changes the speed, the pitch of the voice and the level.

    Args:
        log_mel: computes the frames.
        options: `band_crop` and `fader` of `views.SoundViews`; others are
            ignored, since they would cut words off.
    """

    def __init__(self, log_mel: WholeLogMel, options: Mapping):
        self._log_mel = log_mel
        self._band_crop, self._fader = options["band_crop"], options["fader"]

    def __call__(self, rows, seed):
        sounds, lengths = with_lengths(rows)
        draws = fractions(seed, [tf.shape(sounds)[0], len(_DRAWS)])
        draws = named(_DRAWS, draws)
        sounds, lengths = change_speed(
            to_floats(sounds), lengths, between(draws["speed"], *SPEED)
        )
        batch = self._log_mel.of_sounds(sounds, lengths)
        down = band_matrix(draws, self._log_mel.bands, self._band_crop)
        frames = tf.matmul(batch[FRAMES], down, transpose_b=True)
        count = tf.shape(frames)[1]
        frames += fade([draws["begin"], draws["end"]], count, self._fader)
        inside = tf.sequence_mask(batch[LENGTH], count)[..., None]
        return {**batch, FRAMES: tf.where(inside, frames, 0.0)}, {}


def change_speed(
    sounds: tf.Tensor, lengths: tf.Tensor, speed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Plays sounds faster or slower, by linear interpolation.

    Args:
        sounds: float32 `[batch, longest]`.
        lengths: int32 `[batch]`.
        speed: float32 `[batch]`, at least `SPEED[0]`.

    Returns:
        Sounds, padded to 1 / `SPEED[0]` times the length, and their lengths.
    """
    longest = tf.shape(sounds)[1]
    room = longest * 100 // round(100 * SPEED[0]) + 1
    at = tf.range(room, dtype=tf.float32) * speed[:, None]
    first = tf.minimum(tf.cast(at, tf.int32), longest - 1)
    low, high = (
        tf.gather(sounds, tf.minimum(first + step, longest - 1), batch_dims=1)
        for step in (0, 1)
    )
    resampled = low + (at - tf.floor(at)) * (high - low)
    new_lengths = tf.cast(tf.cast(lengths, tf.float32) / speed, tf.int32)
    new_lengths = tf.maximum(new_lengths, 1)
    inside = tf.sequence_mask(new_lengths, room)
    return tf.where(inside, resampled, 0.0), new_lengths
