"""Data sets of TensorFlow Datasets, prepared in a temporary folder."""

import dataclasses
import io
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.data import sources
from byol_tf.data.rows import Unreadable
from byol_tf.modalities.audio.modality import AUDIO
from byol_tf.modalities.image.decode import upright_size
from byol_tf.modalities.image.reading import image_decoder, load_images
from configs import base

tfds = pytest.importorskip("tensorflow_datasets")


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _prepare(folder, name, features, splits):
    """Writes a data set with the writer of TensorFlow Datasets itself."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        data_dir=str(folder),
        split_datasets=splits,
        features=features,
        disable_shuffling=True,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two sets: images of one size, and of several with a broken one."""
    folder = tmp_path_factory.mktemp("tfds")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 6, 6, 3), np.uint8)

    def dataset(examples, signature):
        return tf.data.Dataset.from_generator(
            lambda: iter(examples), output_signature=signature
        )

    label = tf.TensorSpec((), tf.int64)
    equal = {"image": tf.TensorSpec((6, 6, 3), tf.uint8), "label": label}
    examples = [
        {"image": image, "label": i % 3} for i, image in enumerate(pixels)
    ]
    _prepare(
        folder,
        "tiny",
        tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(6, 6, 3)),
                "label": tfds.features.ClassLabel(names=["a", "b", "c"]),
            }
        ),
        {
            "train": dataset(examples[:9], equal),
            "test": dataset(examples[9:], equal),
        },
    )
    mixed = [
        {"photo": _png(np.full((7 + i, 9, 3), 20 * i, np.uint8))}
        for i in range(5)
    ]
    mixed[3] = {"photo": mixed[3]["photo"][:50]}
    _prepare(
        folder,
        "mixed",
        tfds.features.FeaturesDict({"photo": tfds.features.Image()}),
        {"train": dataset(mixed, {"photo": tf.TensorSpec((), tf.string)})},
    )
    return str(folder), pixels


def load(folder, name="tiny", split="train", **options):
    return load_images("tfds", name, split, folder, **options)


def test_images_and_labels_are_those_written(prepared):
    folder, pixels = prepared
    train, test = load(folder), load(folder, split="test")
    np.testing.assert_array_equal(train.rows, pixels[:9])
    np.testing.assert_array_equal(test.rows, pixels[9:])
    np.testing.assert_array_equal(train.labels, np.arange(9) % 3)
    assert train.rows.dtype == np.uint8
    assert train.labels.dtype == np.int32
    assert train.class_names == ("a", "b", "c")
    assert train.name == "tiny"


def test_a_part_of_a_split_can_be_asked_for(prepared):
    folder, pixels = prepared
    np.testing.assert_array_equal(
        load(folder, split="train[3:5]").rows, pixels[3:5]
    )


def test_other_channels_and_sizes_are_made_from_the_files(prepared):
    folder, pixels = prepared
    gray = load(folder, channels=1)
    assert gray.row_shape == (6, 6, 1)
    expected = pixels[:9] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray.rows[..., 0] - expected).max() <= 1
    np.testing.assert_array_equal(gray.labels, np.arange(9) % 3)
    assert load(folder, image_size=4).row_shape == (4, 4, 3)
    whole = load(folder, image_size=6, channels=3)
    np.testing.assert_array_equal(whole.rows, pixels[:9])


def test_images_of_several_sizes_are_brought_to_one(prepared):
    images = load(prepared[0], "mixed", image_size=5)
    assert images.rows.shape == (4, 5, 5, 3)
    values = images.rows.reshape(4, -1)
    np.testing.assert_array_equal(values.min(1), [0, 20, 40, 80])
    np.testing.assert_array_equal(values.max(1), [0, 20, 40, 80])


def test_a_corrupt_image_is_skipped_and_named(prepared):
    (skipped,) = load(prepared[0], "mixed", image_size=5).skipped
    assert skipped[0] == "train example 3"
    assert "damaged image" in skipped[1]


def test_a_set_without_a_label_feature_is_unlabelled(prepared):
    images = load(prepared[0], "mixed", image_size=5)
    np.testing.assert_array_equal(images.labels, [-1] * 4)
    with pytest.raises(ValueError, match="mixed has no labels"):
        load(prepared[0], "mixed", image_size=5, labels="required")


def test_images_of_several_sizes_need_a_size(prepared):
    with pytest.raises(ValueError, match=r"differ in size.*`image_size`"):
        load(prepared[0], "mixed")


@pytest.mark.parametrize("options", [{}, {"image_size": 4}])
def test_disk_cache_gives_what_memory_gives(prepared, tmp_path, options):
    folder = prepared[0]
    in_memory = load(folder, **options)
    for _ in range(2):
        on_disk = load(folder, cache="disk", cache_dir=tmp_path, **options)
        assert isinstance(on_disk.rows, np.memmap)
        assert on_disk.fingerprint() == in_memory.fingerprint()
    assert len(list(tmp_path.glob("*.npy"))) == 1


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("tiny", "validation", "no split 'validation'; it has .*train"),
        ("tiny", "train[:x", "no split"),
        ("no_such_set", "train", "'no_such_set'.*Prepared there: mixed, tiny"),
        ("not a name", "train", "cannot use the name 'not a name'"),
        ("mnist", "train", "mnist is not prepared.*there: mixed, tiny"),
    ],
)
def test_unknown_set_or_split_is_one_line(prepared, name, split, message):
    with pytest.raises(ValueError, match=message) as error:
        load(prepared[0], name, split)
    assert "\n" not in str(error.value)


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        load(str(tmp_path / "missing"))


def handed_in(prepared, **changes):
    decoder = dataclasses.replace(
        image_decoder(), of_stored=None, feature="Image"
    )
    decoder = dataclasses.replace(decoder, **changes)
    return sources.load("tfds", "mixed", directory=prepared[0], decoder=decoder)


def test_rows_without_a_feature_of_tfds_are_refused(prepared):
    with pytest.raises(ValueError, match="images come from source 'folder'"):
        handed_in(prepared, feature="")


@pytest.mark.parametrize(
    ("dtype", "scale", "shape"),
    [(np.int64, 1, (None,)), (np.float32, 2**-15, (None, 2))],
)
def test_sounds_are_read_at_their_rate(tmp_path, dtype, scale, shape):
    pytest.importorskip("soundfile")
    sounds = [np.arange(-n, n) * 9 for n in (200, 700)]
    twice = [np.stack([x] * 2, axis=1) if shape[1:] else x for x in sounds]
    examples = [{"speech": (x * scale).astype(dtype)} for x in twice]
    spec = {"speech": tf.TensorSpec(shape, dtype)}
    audio = tfds.features.Audio(shape=shape, dtype=dtype, sample_rate=8000)
    _prepare(
        *(tmp_path, "spoken", tfds.features.FeaturesDict({"speech": audio})),
        {
            "train": tf.data.Dataset.from_generator(
                lambda: iter(examples), output_signature=spec
            )
        },
    )
    config = base.get_config()
    config.audio.rate = 8000
    found = sources.load(
        "tfds", "spoken", directory=tmp_path, decoder=AUDIO.decoder(config)
    )
    for row, sound in enumerate(sounds):
        np.testing.assert_array_equal(found.read(row)["sound"], sound)


def test_rows_of_free_shape_stay_in_their_records(prepared):
    free = handed_in(prepared)
    sizes = [free.read(row)["image"].shape for row in (0, 1, 2, 4)]
    assert sizes == [(7, 9, 3), (8, 9, 3), (9, 9, 3), (11, 9, 3)]
    assert free.labels.tolist() == [-1] * 5
    with pytest.raises(Unreadable, match="damaged image"):
        free.read(3)


def test_a_part_of_a_split_of_records_can_be_asked_for(prepared):
    decoder = image_decoder()
    options = {"directory": prepared[0], "decoder": decoder}
    part = sources.load("tfds", "mixed", split="train[1:3]", **options)
    assert [part.read(row)["image"].shape[0] for row in range(2)] == [8, 9]


def test_another_kind_of_row_is_decoded_by_what_is_handed_in(prepared):
    spec = {"sizes": tf.TensorSpec([2], tf.float32)}

    def sizes(data):
        return np.array(upright_size(data), np.float32)

    examples = handed_in(prepared, spec=spec, decode=sizes)
    assert examples.rows.tolist() == [[9, 7], [9, 8], [9, 9], [9, 10], [9, 11]]
    assert examples.spec == spec


@pytest.mark.parametrize("name", ["a [b] 'c", "d*?"])
def test_a_folder_named_like_a_pattern_works_by_the_advised_link(
    prepared, tmp_path, name
):
    shutil.copytree(prepared[0], tmp_path / name)
    with pytest.raises(ValueError, match="link to that folder by another"):
        load(str(tmp_path / name), split="test")
    os.symlink(tmp_path / name, tmp_path / "link")
    there = load(str(tmp_path / "link"), split="test")
    assert there.fingerprint() == load(prepared[0], split="test").fingerprint()
