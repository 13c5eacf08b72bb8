"""Sets of images: their facts, and parts of them."""

import dataclasses

import numpy as np
import pytest

from byol_tf.data.examples import Examples, Rows


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
    with pytest.raises(ValueError, match="1 paths of 3 rows"):
        dataclasses.replace(make(range(3)), paths=("a",))


def test_it_is_written_out_without_its_rows_and_paths():
    images = dataclasses.replace(make(range(3)), paths=("p0", "p1", "p2"))
    assert "rows=" not in repr(images) and "p1" not in repr(images)
