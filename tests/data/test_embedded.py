"""The images that the package brings along."""

import gzip
import hashlib
import importlib.util
import pathlib
import struct
from importlib import resources

import numpy as np
import pytest

from byol_tf.modalities.image.reading import load_images

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("split", "per_class"), [("train", 1000), ("test", 200)]
)
def test_embedded_set_is_class_balanced(split, per_class):
    images = load_images("embedded", "fashion_mnist", split)
    assert images.rows.shape == (10 * per_class, 28, 28, 1)
    assert images.rows.dtype == np.uint8
    assert images.labels.dtype == np.int32
    np.testing.assert_array_equal(np.bincount(images.labels), [per_class] * 10)
    assert len(images.class_names) == images.num_classes == 10


def test_embedded_splits_share_no_image():
    train, test = (
        {
            hashlib.sha256(image).digest()
            for image in load_images("embedded", "fashion_mnist", split).rows
        }
        for split in ("train", "test")
    )
    assert (len(train), len(test)) == (10_000, 2_000)
    assert not train & test


def test_embedded_file_is_small_and_comes_with_its_licence():
    folder = resources.files("byol_tf.data") / "embedded"
    assert len((folder / "fashion_mnist.npz").read_bytes()) < 7_000_000
    licence = (folder / "LICENSE").read_text()
    assert "MIT License" in licence
    assert "Zalando SE" in licence


def test_embedded_images_are_the_originals_at_the_kept_positions():
    originals = pathlib.Path("/usr/share/datasets/fashion-mnist")
    if not originals.is_dir():
        pytest.skip("needs the IDX files of Fashion-MNIST (Debian's package)")
    file = resources.files("byol_tf.data") / "embedded" / "fashion_mnist.npz"
    with np.load(str(file), allow_pickle=False) as embedded:
        for split, prefix in (("train", "train"), ("test", "t10k")):
            data = gzip.decompress(
                (originals / f"{prefix}-images-idx3-ubyte.gz").read_bytes()
            )
            images = np.frombuffer(data, np.uint8, offset=16)
            images = images.reshape(-1, 28, 28, 1)
            np.testing.assert_array_equal(
                embedded[f"{split}_images"], images[embedded[f"{split}_index"]]
            )


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("mnist", "train", "one of fashion_mnist.*'mnist'"),
        ("fashion_mnist", "validation", "no split 'validation'"),
    ],
)
def test_unknown_embedded_name_or_split_is_an_error(name, split, message):
    with pytest.raises(ValueError, match=message):
        load_images("embedded", name, split)


def test_embedded_file_is_made_from_idx_files_alike_every_time(tmp_path):
    tool = _tool()
    rng = np.random.default_rng(0)
    for prefix, per_class in (("train", 1003), ("t10k", 201)):
        labels = rng.permutation(np.repeat(np.arange(10), per_class))
        images = rng.integers(0, 256, (len(labels), 2, 2), np.uint8)
        _write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images)
        _write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels)
    for target in ("a.npz", "b.npz"):
        tool.make(tmp_path, tmp_path / target)
    made = (tmp_path / "a.npz").read_bytes()
    assert made == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(
            file["test_images"][..., 0], images[file["test_index"]]
        )
        assert set(np.bincount(file["test_labels"])) == {200}
        assert set(np.bincount(file["train_labels"])) == {1000}


def _tool():
    path = ROOT / "tools" / "make_embedded.py"
    spec = importlib.util.spec_from_file_location("make_embedded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
