"""Sounds keep the contract of modalities."""

from typing import ClassVar

import numpy as np

from byol_tf.modalities.audio.inputs import wav
from byol_tf.modalities.audio.views import SoundViews
from tests.modalities.contract import (
    DRAWN,
    SEED,
    ModalityContract,
    as_arrays,
    assert_close,
)

RATE = 8000


def chirp(number, seconds):
    rng = np.random.default_rng(number)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (200 + 150 * number + 300 * time) * time)
    noise = rng.normal(scale=0.02, size=len(time))
    return np.int16(12_000 * (0.8 * tone + noise))


class TestAudio(ModalityContract):
    name, extension = "audio", ".wav"
    fields: ClassVar = {
        "audio.rate": RATE,
        "audio.seconds": 0.32,
        "audio.window": 256,
        "audio.hop": 128,
        "audio.bands": 24,
        "audio.high": 3800.0,
        "audio.max_seconds": 2.0,
        "encoder.name": "sound_small",
        "encoder.widths": (4, 8, 8),
    }
    garbage: ClassVar = {
        "long": wav(chirp(0, 2.1), RATE),
        "short": wav(chirp(0, 0.005), RATE),
        "none": wav(np.zeros(0, np.int16), RATE),
        "video": b"\0\0\0\x20ftypisom" + bytes(200),
    }

    @staticmethod
    def write(path, number):
        path.write_bytes(wav(chirp(number, 0.1 + 0.15 * number), RATE))

    def test_a_view_depends_on_its_own_row_alone(self, member):
        """But for what is mixed in, and the statistics of the batch."""
        alone = SoundViews(member.preprocessor, mixup=0.0, normalize=False)
        (cuts,) = member.cut()
        found = as_arrays(alone((cuts[:1],), SEED))
        whole = as_arrays(alone((cuts,), SEED))
        assert len(whole[0]) == DRAWN
        assert_close([v[:1] for v in found], [v[:1] for v in whole], 1e-4)
