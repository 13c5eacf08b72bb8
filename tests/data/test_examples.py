"""Sets of images: their facts, and parts of them."""

import dataclasses

import numpy as np
import pytest

from byol_tf.data.examples import Examples, Rows, split_holdout


def make(labels, size=4, class_names=()):
    labels = np.array(labels, np.int32)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(labels), size, size, 3), np.uint8)
    return Examples(images, labels, class_names)


def mapped(images, path):
    """The same set in a memory map."""
    np.save(path, images.rows)
    pixels = np.load(path, mmap_mode="r")
    return Examples(pixels, images.labels, images.class_names, images.name)


def test_facts_of_a_labelled_set():
    images = make([0, 2, -1], class_names=("a", "b", "c", "d"))
    assert images.num_examples == 3
    assert images.row_shape == (4, 4, 3)
    assert images.num_classes == 4
    assert images.labelled


def test_classes_are_counted_by_the_highest_label_without_names():
    assert make([0, 2, -1]).num_classes == 3


def test_a_set_without_labels_has_no_classes():
    images = make([-1, -1])
    assert not images.labelled
    assert images.num_classes == 0


def test_images_and_labels_of_different_number_are_an_error():
    with pytest.raises(ValueError, match="must have the same length"):
        Examples(np.zeros((3, 2, 2, 1), np.uint8), np.zeros(2, np.int32))


def test_fingerprint_changes_with_pixels_labels_and_shape():
    images = make(range(5))
    pixels = images.rows.copy()
    pixels[3, 1, 2, 0] ^= 1
    labels = images.labels.copy()
    labels[2] = 4
    prints = {
        images.fingerprint(),
        Examples(pixels, images.labels).fingerprint(),
        Examples(images.rows, labels).fingerprint(),
        Examples(images.rows.reshape(5, 2, 8, 3), images.labels).fingerprint(),
    }
    assert len(prints) == 4
    assert make(range(5)).fingerprint() == images.fingerprint()


def test_fingerprint_does_not_depend_on_where_pixels_are(tmp_path):
    images = make(range(6))
    on_disk = mapped(images, tmp_path / "images.npy")
    chosen = np.arange(6)
    assert on_disk.fingerprint() == images.fingerprint()
    assert on_disk.subset(chosen).fingerprint() == images.fingerprint()


def test_fingerprint_of_many_images_sees_labels_and_some_pixels():
    images = Examples(
        np.zeros((10_000, 1, 1, 1), np.uint8), np.zeros(10_000, int)
    )
    last = images.rows.copy()
    last[-1] = 1
    labels = images.labels.copy()
    labels[1234] = 1
    prints = {
        images.fingerprint(),
        Examples(last, images.labels).fingerprint(),
        Examples(images.rows, labels).fingerprint(),
    }
    assert len(prints) == 3


def test_subset_of_a_memory_map_reads_only_what_is_asked_for(tmp_path):
    images = make(range(8))
    on_disk = mapped(images, tmp_path / "images.npy")
    part = on_disk.subset(np.array([6, 1, 3])).subset(np.array([2, 0]))
    assert isinstance(part.rows, Rows)
    assert part.rows.array is on_disk.rows
    assert part.row_shape == (4, 4, 3)
    np.testing.assert_array_equal(part.labels, [3, 6])
    np.testing.assert_array_equal(part.rows[1], images.rows[6])
    np.testing.assert_array_equal(part.rows[:1], images.rows[[3]])
    np.testing.assert_array_equal(np.asarray(part.rows), images.rows[[3, 6]])


@pytest.mark.parametrize("index", [[4, 0, 2], [True, False] * 2 + [True]])
def test_paths_stay_with_their_images_in_a_subset(index):
    images = make(range(5))
    assert images.paths == () and images.subset(index).paths == ()
    named = dataclasses.replace(images, paths=tuple("abcde"), folder="/photos")
    part = named.subset(np.array(index))
    assert part.paths == tuple("abcde"[label] for label in part.labels)
    assert part.folder == "/photos"


def test_paths_must_be_as_many_as_images():
    with pytest.raises(ValueError, match="1 paths of 3 images"):
        dataclasses.replace(make(range(3)), paths=("a",))


def test_holdout_is_stratified_and_disjoint():
    images = make([0] * 50 + [1] * 30 + [2] * 20)
    rest, held_out = split_holdout(images, 0.2, seed=3)
    np.testing.assert_array_equal(np.bincount(held_out.labels), [10, 6, 4])
    np.testing.assert_array_equal(np.bincount(rest.labels), [40, 24, 16])
    together = np.concatenate([rest.rows, held_out.rows])
    assert len({image.tobytes() for image in together}) == 100
    assert {image.tobytes() for image in together} == {
        image.tobytes() for image in images.rows
    }


def test_holdout_depends_on_the_seed_alone():
    images = make([0, 1] * 50)
    first = split_holdout(images, 0.2, seed=3)[1].fingerprint()
    assert split_holdout(images, 0.2, seed=3)[1].fingerprint() == first
    assert split_holdout(images, 0.2, seed=4)[1].fingerprint() != first


def test_holdout_keeps_labels_with_their_images():
    images = make(np.arange(40) % 4)
    label_of = {
        image.tobytes(): label
        for image, label in zip(images.rows, images.labels, strict=True)
    }
    for part in split_holdout(images, 0.25, seed=0):
        for image, label in zip(part.rows, part.labels, strict=True):
            assert label_of[image.tobytes()] == label


def test_holdout_of_an_unlabelled_set_is_a_plain_fraction():
    rest, held_out = split_holdout(make([-1] * 30), 0.1, seed=0)
    assert (rest.num_examples, held_out.num_examples) == (27, 3)


def test_holdout_takes_one_and_leaves_one_of_a_small_class():
    rest, held_out = split_holdout(make([0, 0, 1, 1, 2]), 0.01, seed=0)
    np.testing.assert_array_equal(held_out.labels, [0, 1])
    np.testing.assert_array_equal(rest.labels, [0, 1, 2])


def test_holdout_does_not_copy_a_memory_map(tmp_path):
    images = make([0, 1] * 10)
    on_disk = mapped(images, tmp_path / "images.npy")
    for a, b in zip(
        split_holdout(images, 0.3, 1),
        split_holdout(on_disk, 0.3, 1),
        strict=True,
    ):
        assert isinstance(b.rows, Rows)
        assert a.fingerprint() == b.fingerprint()


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0])
def test_impossible_holdout_fraction_is_an_error(fraction):
    with pytest.raises(ValueError, match=r"`fraction` must be in \(0, 1\)"):
        split_holdout(make([0, 1]), fraction, seed=0)


def test_holdout_of_single_images_is_an_error():
    with pytest.raises(ValueError, match="too small to hold out"):
        split_holdout(make([0, 1, 2]), 0.5, seed=0)
