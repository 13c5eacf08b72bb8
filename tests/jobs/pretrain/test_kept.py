"""What `data.store` makes of rows that stay encoded."""

import io

import numpy as np
import pytest
from PIL import Image

from byol_tf import TwoViews
from byol_tf.data.examples import Encoded, Examples
from byol_tf.data.pack import Pack
from byol_tf.jobs.pretrain.data import store_examples
from byol_tf.modalities.image.reading import image_decoder
from tests.support.runs import tiny_config

VIEWS = TwoViews.byol(8)


@pytest.fixture
def both():
    """Training and test photos of several sizes."""
    decoder, sets = image_decoder(), []
    for count in (5, 3):
        files = [io.BytesIO() for _ in range(count)]
        for number, file in enumerate(files):
            pixels = np.full((20 + number, 30, 3), number, np.uint8)
            Image.fromarray(pixels).save(file, "PNG")
        items = [file.getvalue() for file in files]
        labels = np.zeros(count, np.int32)
        rows = Encoded(items), labels, (), "photos"
        decode, spec = decoder.decode, decoder.spec
        sets.append(Examples(*rows, decode=decode, spec=spec))
    return tuple(sets)


def keep(both, workdir, **fields):
    fields = {f"data.{name}": value for name, value in fields.items()}
    return store_examples(tiny_config("", **fields), workdir, both, VIEWS)


def test_few_photos_are_decoded_once(both, tmp_path):
    sets, (line,) = keep(both, tmp_path)
    assert all(isinstance(each.rows.kept.data, list) for each in sets)
    assert line.startswith("Store: pixels in memory")
    assert "data.store=auto" in line


def test_too_many_photos_stay_files(both, tmp_path):
    sets, (line,) = keep(both, tmp_path, cache_gb=1e-6)
    assert sets == both and "data.cache_gb=1e-06" in line


@pytest.mark.parametrize(
    "fields",
    [
        {"store": "shards"},
        {"store": "pixels", "cache": "disk"},
        {"store": "pixels", "cache_gb": 1e-6},
    ],
)
def test_what_is_on_disk_lies_in_the_run_folder(both, tmp_path, fields):
    sets, (line,) = keep(both, tmp_path, **fields)
    assert all(isinstance(each.rows.kept.data, Pack) for each in sets)
    assert "on disk" in line and list((tmp_path / "cache").glob("*.pack"))


def test_files_stay_files_where_that_is_wanted(both, tmp_path):
    assert keep(both, tmp_path, store="files") == (both, [])


def test_another_modality_says_that_it_keeps_none(both, tmp_path):
    fields = {"modality": "tests.support.toy_modality:SIGNALS"}
    config = tiny_config("", **fields)
    assert store_examples(config, tmp_path, both, None) == (both, [])
    config.data.store = "shards"
    with pytest.raises(ValueError, match=r"data\.store=files"):
        store_examples(config, tmp_path, both, None)
