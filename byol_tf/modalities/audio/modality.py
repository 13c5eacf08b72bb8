"""The modality of sounds.

See `modalities.contract` for the methods' arguments and results.
"""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import (
    check_integer,
    check_number,
    check_positive,
    in_section,
)
from byol_tf.data.decoder import Decoder
from byol_tf.data.recordings.cutting import Cutting
from byol_tf.data.recordings.decode import (
    EXTENSIONS,
    Reading,
    SoundError,
    to_int16,
)
from byol_tf.data.recordings.pauses import parts_of
from byol_tf.data.recordings.stream import blocks_of
from byol_tf.data.rows import spread_rows
from byol_tf.modalities.audio import encoder, inputs
from byol_tf.modalities.audio.logmel import LogMel
from byol_tf.modalities.audio.pictures import coloured, spectrogram
from byol_tf.modalities.audio.views import SoundViews, TrainView
from byol_tf.modalities.audio.whole import WholeLogMel, WholeTrainView
from byol_tf.modalities.batch import open_batch
from byol_tf.modalities.contract import Raw, refuse_augment
from byol_tf.reports.grids import on_canvas, views_grid
from byol_tf.runtime import dtype_policy

NAME = "sound"  # word for a row
FITTED = 1000  # sounds used for mean and deviation
_AT_A_TIME = 50
# For training with labels, where a sound must stay recognisable.
_TRAIN = {
    "time_crop": (0.8, 1.25),
    "band_crop": (0.9, 1.0),
    "canvas": 1.25,
    "fader": 0.5,
}


class AudioModality:
    """Implements `modalities.contract.Modality` for sounds."""

    name = NAME
    extensions = EXTENSIONS
    strength = ("audio.mixup", "float", 0.0, 0.5)
    sizes = staticmethod(inputs.sizes)
    decode_row = staticmethod(inputs.decode_row)
    origin = staticmethod(inputs.origin)
    cut = staticmethod(inputs.cut)
    card = staticmethod(inputs.card)
    levels = staticmethod(encoder.levels)
    inputs = staticmethod(inputs.inputs)  # last: it hides the module

    def milder(self, section, row_shape):
        return (
            ("audio.mixup", 0.1, 0),
            ("audio.time_crop", (0.9, 1.1), 1),
            ("audio.band_crop", (0.9, 1.1), 1),
        )

    def decoder(self, section, whole: bool = False) -> Decoder:
        options = section.audio
        with in_section("audio"):
            check_positive("max_seconds", options.max_seconds)
            check_integer("channel", options.channel, -1)
            check_integer("rate", options.rate, 1000)
        seconds = section.data.window_seconds
        check_number("data.window_seconds", seconds, 0)
        keys = options.rate, options.max_seconds, options.channel
        keys += (bool(options.skip_silence and not whole),)
        return Decoder(
            spec={NAME: tf.TensorSpec((None,), tf.int16)},
            decode=Reading(*keys),
            extensions=EXTENSIONS,
            conform=_conform,
            cut=Cutting(seconds, keys[-1]) if seconds and not whole else None,
            feature="Audio",
            key=(*keys, seconds, whole),
        )

    def plan(self, section, examples, accelerator):
        return open_batch(section, examples.num_examples, 96, NAME)

    def fit(self, examples, section) -> LogMel:
        """Fits mean and deviation of log-mel frames to training sounds."""
        options = section.audio
        keys = ("rate", "window", "hop", "bands", "low", "high")
        frames = max(1, round(options.seconds * options.rate / options.hop))
        with in_section("audio"):
            layer = LogMel(**{k: options[k] for k in keys}, frames=frames)
        return layer.changed(**_statistics(layer, examples))

    def views(self, section, preprocessor) -> SoundViews:
        options = section.audio
        keys = ("mixup", "time_crop", "band_crop", "canvas", "fader")
        keys += ("normalize",)
        with in_section("audio"):
            return SoundViews(preprocessor, **{k: options[k] for k in keys})

    def crops(self, section):
        return {}

    def sequence(self, preprocessor) -> WholeLogMel:
        return WholeLogMel(**preprocessor.get_config())

    def parts(self, row, sizes) -> list[tuple[dict, np.ndarray]]:
        """Cuts a recording at its pauses, see `pauses.parts_of`."""
        rate = sizes["rate"]
        return [
            (
                {"start": round(start, 3), "end": round(end, 3)},
                row[int(start * rate) : int(end * rate)],
            )
            for start, end in parts_of(row, rate)
        ]

    def stream(self, source, rate: int, sizes) -> Iterator[np.ndarray]:
        """Yields blocks of samples as they arrive, see `stream.blocks_of`."""
        return blocks_of(source, rate or sizes["rate"], sizes["rate"])

    def train_view(self, preprocessor, crops):
        whole = isinstance(preprocessor, WholeLogMel)
        view = WholeTrainView if whole else TrainView
        return view(preprocessor, {**_TRAIN, **crops})

    def supervised_augment(self, options):
        refuse_augment(options, "sounds")

    def encoder(self, section, preprocessor, row_shape) -> keras.Model:
        options = section.encoder
        return encoder.make_encoder(
            options.name,
            preprocessor.frames,
            preprocessor.bands,
            options.widths,
            dtype_policy(section.precision),
        )

    def pretrained(self, section, preprocessor, row_shape, examples=None):
        raise ValueError("there are no published weights for sounds")

    def raw(self, preprocessor, sizes) -> Raw:
        frames = keras.Input((preprocessor.frames, preprocessor.bands))
        pooled = keras.layers.GlobalAveragePooling1D()(frames)
        model = keras.Model(frames, pooled)
        return Raw("averaged log-mel", model, preprocessor)

    def preview(self, row) -> np.ndarray:
        return spectrogram(np.asarray(row))

    def thumbnail(self, data, side):
        try:
            return spectrogram(Reading(16_000)(data), side)
        except SoundError:
            return None

    def player(self, row, preprocessor) -> bytes:
        """Encodes the first ten seconds of a row as a WAV file."""
        rate = preprocessor.rate
        return inputs.wav(np.asarray(row)[: 10 * rate], rate)

    def draw_views(self, rows, pair, path) -> None:
        pictures = [
            [self.preview(row) for row in rows],
            *([coloured(view) for view in views] for views in pair),
        ]
        views_grid(*map(on_canvas, pictures), path)


def _statistics(layer, examples):
    """Returns mean and deviation of the logarithms of some training sounds."""
    index = spread_rows(examples.num_examples, FITTED)
    index = examples.readable_rows(index)
    if not len(index):
        raise ValueError(
            f"none of the sounds of {examples.name} that were tried can be "
            "read; bad_sounds.csv names them and says why"
        )
    sums = np.zeros(3)
    for start in range(0, len(index), _AT_A_TIME):
        batch = examples.take(index[start : start + _AT_A_TIME])
        frames = np.asarray(layer(batch), np.float64)
        sums += frames.size, frames.sum(), np.square(frames).sum()
    mean = sums[1] / sums[0]
    deviation = np.sqrt(max(sums[2] / sums[0] - mean**2, 1e-6))
    return {"mean": float(mean), "deviation": float(deviation)}


def _conform(sounds, where):
    """Converts an array to int16 rows: `[n, samples]`, or `[samples]` each."""
    sounds = np.asarray(sounds)
    if sounds.ndim not in (1, 2) or not sounds.size:
        raise ValueError(
            f"{where} must be [n, samples] of one channel, at audio.rate. "
            f"Received: shape {sounds.shape}"
        )
    if sounds.dtype == np.int16:
        return sounds
    if sounds.dtype.kind != "f":
        raise ValueError(
            f"{where} must be int16, or floats in [-1, 1]. Received: "
            f"{sounds.dtype}"
        )
    try:
        return to_int16(sounds)
    except SoundError as error:
        raise ValueError(f"{where}: {error}") from error


AUDIO = AudioModality()
