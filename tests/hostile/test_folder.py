"""Folders that hold anything, and change while they are read."""

import logging
import os
import pathlib
import random
import threading

import numpy as np
import pytest

from byol_tf.data import folder as folder_module
from byol_tf.data.bad_images import BadImages
from byol_tf.jobs.embed.run import embed_folder
from byol_tf.lines import printable
from byol_tf.modalities.image import reading
from byol_tf.modalities.image.decode import decode_square
from byol_tf.modalities.image.reading import load_images
from byol_tf.runs.predictor import predict_folder
from tests.support import hostile
from tests.support.embeddings import pixel_encoder
from tests.support.encoders import classifier
from tests.support.hostile import SIZE, encoded, fill, noise, save
from tests.support.tables import read_csv, rows_of


def load(folder, **options):
    options = {"image_size": SIZE, "directory": str(folder), **options}
    return hostile.within(60, lambda: load_images("folder", **options))


def assert_none_is_lost(images, wanted):
    rows = {path: row for row, path in enumerate(images.paths)}
    for name, pixels in wanted.items():
        np.testing.assert_array_equal(images.rows[rows[name]], pixels)


# ---- what is no image file -----------------------------------------------


def test_pipes_links_and_folders_named_like_images_are_passed_over(tmp_path):
    wanted = fill(tmp_path, 3)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "missing")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    save(tmp_path / "folder.png" / "inside.png")
    images = load(tmp_path)
    assert_none_is_lost(images, wanted)
    assert "folder.png/inside.png" in images.paths
    reasons = dict(images.skipped)
    assert reasons.pop("nowhere.png") == "no such file or directory"
    assert "symbolic links" in reasons.pop("circle.png")
    for name in ("pipe.png", "device.png"):
        assert reasons.pop(name) == "not a file, but a folder, pipe or device"
    assert not reasons


def test_embedding_and_prediction_pass_over_a_pipe(tmp_path):
    images = tmp_path / "images"
    fill(images, 3)
    os.mkfifo(images / "pipe.png")
    embedded = hostile.within(
        60,
        lambda: embed_folder(
            pixel_encoder(), images, tmp_path / "out.parquet", {}
        ),
    )
    assert embedded.images == 3
    predicted = hostile.within(
        60,
        lambda: predict_folder(classifier(), images, tmp_path / "out.csv"),
    )
    for done in (embedded, predicted):
        assert [path for path, _ in done.unread] == ["pipe.png"]


def test_a_file_that_may_not_be_read_is_skipped_with_the_reason(
    tmp_path, monkeypatch
):
    wanted = fill(tmp_path, 3)

    # Root may read everything, so permissions cannot be taken away from it.
    def refused(file, *arguments, **options):
        if pathlib.Path(file).name == "0001.png":
            raise PermissionError(13, "Permission denied", str(file))
        return open(file, *arguments, **options)

    monkeypatch.setattr(
        "byol_tf.modalities.image.decode.open", refused, raising=False
    )
    images = load(tmp_path)
    del wanted["0001.png"]
    assert_none_is_lost(images, wanted)
    assert images.skipped == (("0001.png", "permission denied"),)


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch, caplog):
    save(tmp_path / "good" / "a.png")
    save(tmp_path / "secret" / "a.png")
    scan = os.scandir

    def refused(folder):
        if pathlib.Path(folder).name == "secret":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refused)
    with caplog.at_level(logging.WARNING):
        assert load(tmp_path).paths == ("good/a.png",)
    assert "secret: Permission denied" in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        *("with space.png", "über straße.png", "日本 語.png", "🙂.png"),
        *("-rf.png", "a,b.png", 'a"b.png', "line\nbreak.png", "%s%d{}.png"),
        *("~.png", "$HOME.png", "a'b;`c`.png", "x" * 251 + ".png"),
        "not utf-8 \udcff.png",
    ],
)
def test_any_name_will_do(tmp_path, name):
    good, bad = tmp_path / "good" / name, tmp_path / "bad" / name
    try:
        save(good)
        bad.parent.mkdir()
        bad.write_bytes(hostile.HTML)
    except OSError:
        pytest.skip("the file system does not take this name")
    table = tmp_path / "bad.csv"
    images = load(tmp_path, bad_images=BadImages(table))
    assert images.paths == (f"good/{name}",)
    assert images.skipped[0][0] == f"bad/{name}"
    _, (path, reason) = read_csv(table)
    assert path == printable(str(bad))
    assert "not an image" in reason


# ---- while it changes ----------------------------------------------------


def test_files_that_go_and_come_while_it_is_read(tmp_path, monkeypatch):
    wanted = fill(tmp_path, 40)
    gone = [f"{number:04}.png" for number in range(30, 36)]
    find, decode = folder_module.find_split, reading.decode_square
    lock = threading.Lock()

    def find_and_change(root, *kind):
        found = find(root, *kind)
        for name in gone[:3]:  # between the listing and the reading
            (tmp_path / name).unlink()
        save(tmp_path / "late.png")
        return found

    def change_and_decode(path, *arguments):
        with lock:
            for name in gone[3:]:
                (tmp_path / name).unlink(missing_ok=True)
        return decode(path, *arguments)

    monkeypatch.setattr(folder_module, "find_split", find_and_change)
    monkeypatch.setattr(reading, "decode_square", change_and_decode)
    images = load(tmp_path)
    for name in gone:
        del wanted[name]
    assert_none_is_lost(images, wanted)
    assert [name for name, _ in images.skipped] == gone
    assert {why for _, why in images.skipped} == {"no such file or directory"}


def test_a_folder_in_turmoil_keeps_what_is_left_alone(tmp_path):
    wanted = fill(tmp_path, 60)
    stop = threading.Event()

    def churn():
        rng = random.Random(0)
        whole = encoded(noise(20, 20), "PNG")
        while not stop.is_set():
            path = tmp_path / f"churn{rng.randrange(40)}.png"
            if rng.random() < 0.5:
                path.write_bytes(whole[: rng.randrange(len(whole))])
            else:
                path.unlink(missing_ok=True)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(5):
            assert_none_is_lost(load(tmp_path), wanted)
    finally:
        stop.set()
        thread.join()


def test_a_damaged_cache_is_made_again(tmp_path):
    wanted = fill(tmp_path / "images", 5)
    options = {"cache": "disk", "cache_dir": str(tmp_path / "cache")}
    load(tmp_path / "images", **options)
    for suffix in (".npy", ".npz"):
        for damage in (b"", b"PK\3\4", hostile.HTML):
            (file,) = (tmp_path / "cache").glob(f"*{suffix}")
            file.write_bytes(damage)
            assert_none_is_lost(load(tmp_path / "images", **options), wanted)


def test_a_file_that_goes_before_its_size_is_read_is_no_prediction(
    tmp_path, monkeypatch
):
    save(tmp_path / "images" / "a.png")
    save(tmp_path / "images" / "b.png")

    def decode_and_remove(path, *arguments, **options):
        pixels = decode_square(path, *arguments, **options)
        if path.name == "a.png":
            path.unlink()
        return pixels

    monkeypatch.setattr(
        "byol_tf.modalities.image.inputs.decode_square", decode_and_remove
    )
    done = predict_folder(
        classifier(), tmp_path / "images", tmp_path / "out.csv"
    )
    assert done.unread == [("a.png", "no such file or directory")]
    assert [row["status"] for row in rows_of(tmp_path / "out.csv")] == [
        "no such file or directory",
        "ok",
    ]
