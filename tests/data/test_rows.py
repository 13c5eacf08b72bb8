"""Rows that are ragged or encoded: read, padded, fingerprinted, refused."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.examples import Encoded, Examples, Ragged, Unreadable
from byol_tf.data.rows import Parts, spread_rows

SIGNAL = {"signal": tf.TensorSpec([None, 2], tf.float32)}


def signals(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 2)).astype(np.float32) for n in lengths]


def unlabelled(rows, **options):
    return Examples(rows, np.full(len(rows), -1, np.int32), **options)


def decode(data):
    """Toy format: float32 pairs; what begins with b"?" is damaged."""
    if isinstance(data, pathlib.Path):
        try:
            data = data.read_bytes()
        except OSError as error:
            raise Unreadable(error.strerror.lower()) from error
    if data.startswith(b"?"):
        raise Unreadable("it begins with ?")
    return np.frombuffer(data, np.float32).reshape(-1, 2)


def encoded(arrays, damaged=()):
    items = [
        b"?" if i in damaged else array.tobytes()
        for i, array in enumerate(arrays)
    ]
    return unlabelled(Encoded(items), decode=decode, spec=SIGNAL)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, bool])
def test_dense_rows_keep_their_type_and_values(dtype):
    values = np.random.default_rng(0).integers(0, 2, (5, 3)).astype(dtype)
    values = values * dtype(0.7 if dtype in (np.float32, np.float64) else 1)
    examples = unlabelled(values)
    assert examples.dense
    assert examples.spec == {"row": tf.TensorSpec([3], dtype)}
    taken = examples.take([4, 0])
    assert taken.dtype == dtype
    np.testing.assert_array_equal(taken, values[[4, 0]])


def test_a_spec_that_is_not_that_of_the_rows_is_refused():
    spec = {"image": tf.TensorSpec([3], tf.uint8)}
    with pytest.raises(ValueError, match="`spec` must be that of the rows"):
        unlabelled(np.zeros((5, 3), np.float32), spec=spec)


def test_what_a_decoder_gives_must_be_told():
    with pytest.raises(ValueError, match="`spec` must say what `decode`"):
        unlabelled(Encoded([b""]), decode=decode)


def test_texts_without_a_decoder_are_rows_of_their_own():
    texts = unlabelled(Encoded(["a line", "für"]))
    assert texts.spec == {"row": tf.TensorSpec([], tf.string)}
    assert texts.take([1, 0]).tolist() == ["für".encode(), b"a line"]


# ---- ragged --------------------------------------------------------------


def test_ragged_rows_are_the_arrays_they_were_made_of():
    arrays = signals([3, 0, 5, 1])
    rows = Ragged.of(arrays)
    assert (len(rows), rows.shape, rows.dtype) == (4, (4, None, 2), np.float32)
    assert rows.lengths.tolist() == [3, 0, 5, 1]
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(rows[i], array)
    for got, i in zip(rows[[2, 0]], (2, 0), strict=True):
        np.testing.assert_array_equal(got, arrays[i])


def test_a_subset_of_ragged_rows_copies_nothing():
    arrays = signals([3, 2, 5, 1])
    part = unlabelled(Ragged.of(arrays)).subset([3, 1, 0]).subset([2, 0])
    np.testing.assert_array_equal(part.rows[0], arrays[0])
    np.testing.assert_array_equal(part.rows[1], arrays[3])
    assert np.shares_memory(part.rows[0], part.rows.values)


@pytest.mark.parametrize("offsets", [[], [0, 4], [2, 1], [-1, 2]])
def test_offsets_that_do_not_cut_the_values_are_refused(offsets):
    with pytest.raises(ValueError, match="`offsets` must ascend from 0 to"):
        Ragged(np.zeros(3), offsets)


def test_a_batch_of_ragged_rows_is_padded_with_zeros_and_has_lengths():
    arrays = signals([3, 1, 5])
    batch = unlabelled(Ragged.of(arrays), spec=SIGNAL).take([1, 0])
    assert batch["length"].tolist() == [1, 3]
    assert batch["length"].dtype == np.int32
    expected = np.zeros((2, 3, 2), np.float32)
    expected[0, :1], expected[1] = arrays[1], arrays[0]
    np.testing.assert_array_equal(batch["signal"], expected)


def test_batches_are_padded_to_at_most_eight_lengths():
    lengths = np.random.default_rng(0).integers(1, 1000, 500)
    examples = unlabelled(Ragged.of(signals(lengths)), spec=SIGNAL)
    padded = [examples.take([i])["signal"].shape[1] for i in range(500)]
    assert len(set(padded)) == 8
    assert (np.array(padded) >= lengths).all()
    # An eighth of the rows lies between one and the next.
    counts = np.unique(padded, return_counts=True)[1]
    assert counts.min() >= 55 and counts.max() <= 70


# ---- encoded -------------------------------------------------------------


def test_encoded_rows_are_decoded_when_they_are_taken():
    arrays = signals([3, 1, 5])
    batch = encoded(arrays).take([2, 1])
    assert batch["length"].tolist() == [5, 1]
    assert batch["signal"].shape == (2, 8, 2)  # the next power of two
    np.testing.assert_array_equal(batch["signal"][0, :5], arrays[2])
    np.testing.assert_array_equal(batch["signal"][1, :1], arrays[1])
    assert not batch["signal"][0, 5:].any()


def test_rows_of_several_parts_come_by_name():
    spec = {
        "tokens": tf.TensorSpec([None], tf.int32),
        "mask": tf.TensorSpec([None], tf.bool),
        "age": tf.TensorSpec([], tf.float32),
    }

    def parts(data):
        tokens = np.frombuffer(data, np.uint8).astype(np.int32)
        age = np.float32(len(data) / 2)
        return {"tokens": tokens, "mask": tokens > 99, "age": age}

    rows = Encoded([b"abc", b"z", b"no"])
    batch = unlabelled(rows, decode=parts, spec=spec).take([0, 1])
    assert batch["tokens"].tolist() == [[97, 98, 99, 0], [122, 0, 0, 0]]
    assert batch["mask"].tolist() == [[False] * 4, [True] + [False] * 3]
    assert batch["age"].tolist() == [1.5, 0.5]
    assert batch["length"].tolist() == [3, 1]


def test_several_free_axes_have_a_length_each():
    spec = {"image": tf.TensorSpec([None, None, 1], tf.uint8)}

    def image(data):
        return np.full((data[0], data[1], 1), 7, np.uint8)

    rows = Encoded([bytes([2, 3]), bytes([5, 1])])
    batch = unlabelled(rows, decode=image, spec=spec).take([0, 1])
    assert batch["length"].tolist() == [[2, 3], [5, 1]]
    # As long as wide, so that few shapes of a batch occur.
    assert batch["image"].shape == (2, 8, 8, 1)
    assert (batch["image"][0] != 0).sum() == 6
    assert (batch["image"][1, :5, :1] == 7).all()


def test_parts_of_a_row_of_different_length_are_refused():
    spec = dict.fromkeys("ab", tf.TensorSpec([None], tf.int32))
    rows = unlabelled(
        Encoded([b""]),
        decode=lambda data: {"a": np.zeros(1, "i4"), "b": np.zeros(2, "i4")},
        spec=spec,
    )
    with pytest.raises(ValueError, match="b must be as long as the other"):
        rows.take([0])


def test_a_decoded_row_that_is_not_as_told_is_refused():
    rows = unlabelled(
        Encoded([b""]), decode=lambda data: np.zeros((3, 1), "f4"), spec=SIGNAL
    )
    with pytest.raises(ValueError, match=r"must be float32 of shape \(None, 2"):
        rows.take([0])


def test_an_unreadable_row_is_not_taken():
    examples = encoded(signals([3, 1, 5]), damaged=[1])
    with pytest.raises(Unreadable, match="begins with"):
        examples.take([0, 1])


def test_readable_rows_stay_with_their_labels_and_paths(tmp_path):
    arrays = signals([3, 1, 5, 2])
    paths = [tmp_path / f"{i}.sig" for i in range(4)]
    for path, array in zip(paths, arrays, strict=True):
        path.write_bytes(array.tobytes())
    paths[2].write_bytes(b"?")
    paths[0].unlink()
    examples = Examples(
        Encoded(paths),
        np.arange(4, dtype=np.int32),
        paths=tuple(path.name for path in paths),
        folder=str(tmp_path),
        decode=decode,
        spec=SIGNAL,
    )
    kept = examples.readable()
    assert kept.labels.tolist() == [1, 3]
    assert kept.paths == ("1.sig", "3.sig")
    assert kept.skipped == (
        ("0.sig", "no such file or directory"),
        ("2.sig", "it begins with ?"),
    )
    np.testing.assert_array_equal(kept.take([1])["signal"][0], arrays[3])


def test_rows_that_can_be_read_are_told_from_others_in_their_order():
    examples = encoded(signals([3, 1, 5, 2]), damaged=[1, 3])
    index = np.array([3, 2, 1, 0])
    assert examples.readable_rows(index).tolist() == [2, 0]
    dense = unlabelled(np.zeros((4, 2)))
    assert dense.readable_rows(index) is index


def test_a_set_without_a_readable_row_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"none of the 2 rows .*row 0: it beg"):
        encoded(signals([3, 1]), damaged=[0, 1]).readable()


# ---- fingerprints --------------------------------------------------------


def test_fingerprint_of_ragged_rows_changes_with_values_and_lengths():
    arrays = signals([3, 1, 5])
    joined = [np.concatenate(arrays[:2]), arrays[2][:0], arrays[2]]
    other = signals([3, 1, 5], seed=1)
    prints = [
        unlabelled(Ragged.of(rows)).fingerprint()
        for rows in (arrays, joined, other)
    ]
    assert len(set(prints)) == 3
    reordered = unlabelled(Ragged.of(arrays[::-1])).subset([2, 1, 0])
    assert reordered.fingerprint() == prints[0]


def test_fingerprint_of_files_sees_bytes_and_not_where_they_lie(tmp_path):
    prints = []
    for folder, last in (("a", b"1234"), ("b", b"1234"), ("c", b"12345")):
        (tmp_path / folder).mkdir()
        paths = [tmp_path / folder / name for name in ("x", "y")]
        paths[0].write_bytes(b"12345678")
        paths[1].write_bytes(last)
        files = unlabelled(Encoded(paths), decode=decode, spec=SIGNAL)
        prints.append(files.fingerprint())
    assert prints[0] == prints[1] != prints[2]


def test_fingerprint_of_parts_reads_a_file_once_and_tells_them_apart(tmp_path):
    (tmp_path / "long").write_bytes(b"12345678")
    opened = []

    class Part(type(tmp_path)):
        def __fspath__(self):
            opened.append(self)
            return super().__fspath__()

    parts = Parts(tmp_path, ["long"] * 9, [Part(tmp_path / "long")] * 9)
    examples = unlabelled(Encoded(parts), decode=decode, spec=SIGNAL)
    found = examples.fingerprint()
    assert len(opened) == 1
    assert examples.subset([1, 2]).fingerprint() not in (
        *(found, examples.subset([1, 3]).fingerprint()),
    )


def test_fingerprint_is_taken_once():
    read = []

    class Items(list):
        def __getitem__(self, number):
            read.append(number)
            return super().__getitem__(number)

    items = Encoded(Items([b"123", b"45"]))
    examples = unlabelled(items, decode=decode, spec=SIGNAL)
    assert examples.fingerprint() == examples.fingerprint()
    assert read == [0, 1]


@pytest.mark.parametrize(
    "count, most, expected",
    [(9, 3, [0, 4, 8]), (6, 4, [0, 1, 3, 5]), (3, 8, [0, 1, 2]), (0, 4, [])],
)
def test_rows_are_spread_from_the_first_to_the_last(count, most, expected):
    assert spread_rows(count, most).tolist() == expected
