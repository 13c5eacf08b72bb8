"""Rows that stay in TFRecord files."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.data import records, sources
from byol_tf.data.bad_images import BadImages
from byol_tf.data.rows import Unreadable
from byol_tf.modalities.image.reading import image_decoder

COUNT = 7


def png(number):
    file = io.BytesIO()
    pixels = np.full((5 + number, 8, 3), 20 * number, np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def example(image, label, names=("image", "label")):
    values = (
        tf.train.Feature(bytes_list=tf.train.BytesList(value=image)),
        tf.train.Feature(int64_list=tf.train.Int64List(value=label)),
    )
    features = tf.train.Features(feature=dict(zip(names, values, strict=True)))
    return tf.train.Example(features=features).SerializeToString()


def write(path, examples):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in examples:
            writer.write(record)


@pytest.fixture
def folder(tmp_path):
    """Seven training records in two files, and one of test."""
    every = [example([png(n)], [n % 3]) for n in range(COUNT)]
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder / "train-00000-of-00002", every[:4])
    write(folder / "train-00001-of-00002", every[4:])
    write(folder / "test.tfrecord", every[:1])
    (folder / "README.md").write_text("no records")
    return folder


def load(folder, decoder=None, **options):
    options = {"decoder": decoder or image_decoder(), **options}
    return sources.load("tfrecord", directory=str(folder), **options)


def test_records_are_read_where_they_lie(folder):
    examples = load(folder)
    assert examples.encoded and examples.name == "set"
    assert examples.labels.tolist() == [n % 3 for n in range(COUNT)]
    for number in (6, 0, 4):
        row = examples.read(number)["image"]
        expected = np.full((5 + number, 8, 3), 20 * number)
        np.testing.assert_array_equal(row, expected)


def test_files_of_a_split_begin_with_its_name(folder):
    assert load(folder, split="test").num_examples == 1
    with pytest.raises(ValueError, match=r"'val'; there are test\.tfrecord"):
        load(folder, split="val")


def test_features_may_have_other_names(folder):
    names = "image/encoded", "image/class/label"
    write(folder / "own.tfrecord", [example([png(1)], [5], names)])
    with pytest.raises(ValueError, match=r"image/encoded; name those"):
        load(folder, split="own")
    examples = load(folder, split="own", features=",".join(names))
    assert examples.labels.tolist() == [5]
    assert load(folder, split="own", features=names[0]).labels == [-1]


def test_rows_of_one_size_are_decoded_once(folder):
    examples = load(folder, image_decoder(image_size=4))
    assert examples.rows.shape == (COUNT, 4, 4, 3)
    assert examples.labels.tolist() == [n % 3 for n in range(COUNT)]
    assert examples.rows[:, 0, 0, 0].tolist() == [20 * n for n in range(COUNT)]


def test_the_table_is_made_once(folder, tmp_path, monkeypatch):
    options = {"cache_dir": str(tmp_path / "cache")}
    labels = load(folder, **options).labels
    monkeypatch.setattr(records, "_table", None)
    again = load(folder, **options)
    np.testing.assert_array_equal(again.labels, labels)
    monkeypatch.undo()
    write(folder / "train-00000-of-00002", [example([png(1)], [1])])
    assert load(folder, **options).num_examples == 4


def test_a_record_without_an_image_is_unreadable(folder):
    write(folder / "own.tfrecord", [example([], [1]), example([b"<html>"], [])])
    examples = load(folder, split="own")
    assert examples.labels.tolist() == [1, -1]
    for row in (0, 1):
        with pytest.raises(Unreadable, match="not an image"):
            examples.read(row)


def test_a_record_that_cannot_be_read_is_listed_by_its_number(folder, tmp_path):
    write(folder / "own.tfrecord", [example([b"<html>"], [1])])
    bad_images = BadImages(tmp_path / "bad.csv")
    examples = load(folder, split="own", bad_images=bad_images)
    examples.rows.list_unreadable(0, "damaged")
    assert (tmp_path / "bad.csv").read_text().split()[1:] == [
        "row",
        "0,damaged",
    ]


@pytest.mark.parametrize(
    "data,message",
    [
        (b"\x1f\x8b" + bytes(40), "is compressed"),
        (b"\xff" * 40, "damaged, or no TFRecord file"),
        (bytes(5), "damaged, or no TFRecord file"),
        (b"", "have no records"),
    ],
)
def test_a_file_without_records_is_one_line(folder, data, message):
    (folder / "own.tfrecord").write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        load(folder, split="own")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("label", [2**40, 10**9, -2])
def test_a_number_that_is_no_class_is_one_line(folder, label):
    write(folder / "own.tfrecord", [example([png(1)], [label])])
    with pytest.raises(ValueError, match=f"or -1 for none. .*{label}"):
        load(folder, split="own")


def test_a_record_of_something_else_is_one_line(folder):
    write(folder / "own.tfrecord", [b"\xff\xff\xff"])
    with pytest.raises(ValueError, match=r"own.*is no tf\.train\.Example"):
        load(folder, split="own")
