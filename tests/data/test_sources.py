"""Sources of a kind of row that is no image: a decoder is handed in."""

import csv
import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.bad_images import BadImages
from byol_tf.data.batches import plain_errors, training_batches
from byol_tf.data.examples import Encoded, Ragged, Unreadable
from byol_tf.data.sources import Decoder, check_folder, load


def read(path):
    data = path.read_bytes()
    if data.startswith(b"?"):
        raise Unreadable("it begins with ?")
    return np.frombuffer(data, np.float32)


FREE = Decoder(
    spec={"signal": tf.TensorSpec([None], tf.float32)},
    decode=read,
    extensions=(".sig",),
)
FIXED = dataclasses.replace(
    FREE, spec={"signal": tf.TensorSpec([4], tf.float32)}
)


def write(folder, count, length=lambda number: 4, damaged=()):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    for number in range(count):
        array = np.arange(length(number), dtype=np.float32) / 7 + number
        data = b"????" if number in damaged else array.tobytes()
        (folder / f"{number:02}.sig").write_bytes(data)
        arrays.append(array)
    return arrays


def late(folder, bad_images):
    """Reads all rows that `load` has left encoded."""
    examples = load(
        "folder", directory=folder, decoder=FREE, bad_images=bad_images
    )
    with plain_errors(examples):
        for _ in training_batches(examples, 10, seed=0, num_steps=2):
            pass


def test_files_of_free_length_stay_encoded(tmp_path):
    arrays = write(tmp_path / "a", 3, length=lambda number: number + 2)
    arrays += write(tmp_path / "b", 2)
    (tmp_path / "notes.txt").write_text("no signal")
    examples = load("folder", directory=tmp_path, decoder=FREE)
    assert isinstance(examples.rows, Encoded)
    assert examples.spec == FREE.spec
    assert examples.paths == (
        *("a/00.sig", "a/01.sig", "a/02.sig"),
        *("b/00.sig", "b/01.sig"),
    )
    assert examples.labels.tolist() == [0, 0, 0, 1, 1]
    assert examples.class_names == ("a", "b")
    for row, array in enumerate(arrays):
        np.testing.assert_array_equal(examples.read(row)["signal"], array)


def test_a_table_gives_labels_and_its_column_is_part_of_the_name(tmp_path):
    write(tmp_path / "set", 3)
    text = "path,label,kind\n00.sig,a,x\n01.sig,b,x\n02.sig,a,y\n"
    (tmp_path / "set" / "labels.csv").write_text(text)
    folder = {"directory": tmp_path / "set", "decoder": FREE}
    examples = load("folder", **folder)
    assert examples.name == "set" and examples.labels.tolist() == [0, 1, 0]
    examples = load("folder", **folder, label_column="kind")
    assert examples.name == "set (kind)"
    assert examples.labels.tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match=r"is of a folder's labels\.csv"):
        load("arrays", decoder=FREE, label_column="kind")
    with pytest.raises(ValueError, match="the data is source=arrays; leave"):
        load("arrays", decoder=FREE, layout="flat")


def test_a_table_without_the_column_is_refused_with_those_it_has(tmp_path):
    write(tmp_path, 2)
    (tmp_path / "labels.csv").write_text("path,kind\n00.sig,a\n01.sig,b\n")
    with pytest.raises(ValueError, match=r"no column 'label'; .* 'kind'\) has"):
        check_folder(tmp_path, "train", FREE, "required", "auto", "")
    check_folder(tmp_path, "train", FREE, "required", "auto", "kind")


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_files_of_one_length_are_decoded_once_as_floats(tmp_path, cache):
    arrays = write(tmp_path / "x", 5, damaged=[1])
    folder = {"directory": tmp_path / "x", "decoder": FIXED, "cache": cache}
    for _ in range(2):  # the second from the cache
        examples = load("folder", cache_dir=tmp_path / "cache", **folder)
        assert examples.dense
        assert examples.skipped == (("01.sig", "it begins with ?"),)
        assert examples.rows.dtype == np.float32
        np.testing.assert_array_equal(
            examples.rows, np.delete(arrays, 1, axis=0)
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int8])
def test_arrays_keep_their_type(tmp_path, dtype):
    values = (np.arange(12).reshape(4, 3) * 1.5).astype(dtype)
    np.savez(tmp_path / "set.npz", train_signals=values)
    examples = load("arrays", directory=tmp_path / "set.npz", decoder=FREE)
    assert examples.rows.dtype == dtype
    assert examples.spec == {"signal": tf.TensorSpec([3], dtype)}
    np.testing.assert_array_equal(examples.rows, values)


def test_arrays_with_offsets_are_ragged(tmp_path):
    values = np.arange(7, dtype=np.float32)
    np.savez(
        tmp_path / "set.npz",
        x_train=values,
        x_train_offsets=[0, 2, 2, 7],
        y_train=[1, 0, 1],
    )
    examples = load("arrays", directory=tmp_path / "set.npz", decoder=FREE)
    assert isinstance(examples.rows, Ragged)
    assert examples.spec == FREE.spec
    rows = [row.tolist() for row in examples.rows[[0, 1, 2]]]
    assert rows == [[0, 1], [], [2, 3, 4, 5, 6]]


def test_offsets_of_other_values_are_refused(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=np.zeros(3), x_train_offsets=[0, 9])
    with pytest.raises(ValueError, match=r"set\.npz: `offsets` must ascend"):
        load("arrays", directory=tmp_path / "set.npz", decoder=FREE)


def test_a_folder_without_such_files_says_what_was_looked_for(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"no signal in.*\.sig.*1 files"):
        load("folder", directory=tmp_path, decoder=FREE)


def test_rows_found_unreadable_by_a_batch_are_listed(tmp_path):
    write(tmp_path / "x", 20, damaged=[3, 11])
    late(tmp_path / "x", BadImages(tmp_path / "bad.csv", 0.1))
    with open(tmp_path / "bad.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "reason"]
    assert sorted(rows) == [
        [str(tmp_path / "x" / f"{number:02}.sig"), "it begins with ?"]
        for number in (3, 11)
    ]


def test_too_many_unreadable_rows_in_batches_end_the_run(tmp_path):
    write(tmp_path / "x", 20, damaged=[3, 11, 12])
    with pytest.raises(ValueError, match=r"^3 of the 20 signals .*bad_share"):
        late(tmp_path / "x", BadImages(None, 0.1))


# ---- arrays of any depth and number of channels -----------------------------


def bands(shape, dtype):
    return Decoder(
        spec={"bands": tf.TensorSpec(shape, dtype)},
        decode=lambda path: np.load(path),
        extensions=(".npy",),
    )


@pytest.mark.parametrize("cache", ["memory", "disk"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_files_of_many_bands_stay_what_they_are(tmp_path, dtype, cache):
    rng = np.random.default_rng(0)
    arrays = (rng.normal(size=(6, 3, 4, 13)) * 900).astype(dtype)
    (tmp_path / "rows").mkdir()
    for number, array in enumerate(arrays):
        np.save(tmp_path / "rows" / f"{number}.npy", array)
    options = {"cache": cache, "cache_dir": tmp_path / "cache"}
    decoder = bands((3, 4, 13), dtype)
    folder = {"directory": tmp_path / "rows", "decoder": decoder}
    for _ in range(2):
        examples = load("folder", **folder, **options)
        assert examples.rows.dtype == dtype
        np.testing.assert_array_equal(examples.rows, arrays)
    batch, _ = next(iter(training_batches(examples, 6, seed=0)))
    assert batch.dtype == dtype and batch.shape == (6, 3, 4, 13)


def test_arrays_of_several_sizes_in_files_stay_what_they_are(tmp_path):
    arrays = [np.full((n, 2 * n, 5), 300 * n, np.uint16) for n in (1, 3, 2)]
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", array)
    decoder = bands((None, None, 5), "uint16")
    examples = load("folder", directory=tmp_path, decoder=decoder)
    for row, array in enumerate(arrays):
        np.testing.assert_array_equal(examples.read(row)["bands"], array)


@pytest.mark.parametrize(
    "shape,dtype", [((3, 4, 1), "uint8"), ((3, 4, 2), "f4")]
)
def test_a_row_is_never_cast_or_repeated_to_fit(tmp_path, shape, dtype):
    np.save(tmp_path / "a.npy", np.zeros(shape, dtype))
    decoder = bands((3, 4, 2), "uint8")
    with pytest.raises(
        ValueError, match=r"a\.npy: a decoded row must be uint8"
    ):
        load("folder", directory=tmp_path, decoder=decoder)


def test_labels_that_are_required_come_by_the_folders_that_are_advised(
    tmp_path,
):
    write(tmp_path / "x", 2)
    options = {"directory": tmp_path, "decoder": FREE, "labels": "required"}
    with pytest.raises(ValueError, match="at least two sub-folders"):
        load("folder", **options)
    write(tmp_path / "y", 2)
    assert load("folder", **options).labels.tolist() == [0, 0, 1, 1]


def test_a_column_of_labels_is_refused_if_all_rows_are_in_one_file(tmp_path):
    (tmp_path / "all.csv").touch()
    table = types.SimpleNamespace(file="all.csv")
    decoder = dataclasses.replace(FREE, table=table)
    with pytest.raises(ValueError, match=r"leave it empty for all\.csv"):
        load("folder", directory=tmp_path, decoder=decoder, label_column="kind")
