"""Samples of a stream, block by block."""

import io

import numpy as np
import pytest

from byol_tf.data.recordings.stream import blocks_of


def test_samples_come_in_order_whatever_the_blocks(caplog):
    samples = np.arange(-2000, 2001, dtype=np.int16)
    data = samples.astype("<i2").tobytes() + b"\0"
    found = np.concatenate(list(blocks_of(io.BytesIO(data), 8000, 8000)))
    np.testing.assert_array_equal(found, samples)
    assert "last byte is left out" in caplog.text


@pytest.mark.parametrize(
    "data,match",
    [
        (b"", "ended after 0 bytes, less than 0.01 seconds"),
        (b"a", "ended after 1 bytes"),
        (b"a" * 54, "ended after 54 bytes"),
        (b"RIFF\x24\0\0\0WAVEfmt ", r"is a file \(RIFF\).*-ar 16000 -"),
        (b"ID3\x04", r"is a file \(ID3\)"),
    ],
)
def test_what_is_no_stream_of_samples_is_refused(data, match):
    with pytest.raises(ValueError, match=match):
        list(blocks_of(io.BytesIO(data), 16_000, 8000))
