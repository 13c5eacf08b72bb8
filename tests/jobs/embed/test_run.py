"""A folder of images to a Parquet file."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from byol_tf.jobs.embed.run import embed_folder
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.decode import decode_square
from byol_tf.search import parts
from byol_tf.search.table import OK, Row
from tests.support.embeddings import SIDE, Pixels, pixel_encoder, save_image

ROOT = pathlib.Path(__file__).parents[3]
# Embeds in parts of two images, and is killed when it has begun the third.
KILLED = """
import os, signal, sys
from byol_tf.jobs.embed.run import embed_folder
from tests.support.embeddings import Pixels, pixel_encoder

class Killed(Pixels):
    def __call__(self, images):
        if self.seen >= 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(images)

embed_folder(
    pixel_encoder(), *sys.argv[1:], {}, extract=Killed(), part_images=2
)
"""


def rows_of(target):
    return {row["path"]: row for row in pq.read_table(target).to_pylist()}


def embed(folder, target, **options):
    """What was done, and how many images were encoded for it."""
    encoder = options.pop("encoder", None) or pixel_encoder()
    extract = options.pop("extract", None) or Pixels()
    done = embed_folder(encoder, folder, target, {}, extract=extract, **options)
    return done, extract.seen


def test_a_csv_file_and_arrays_are_embedded_like_a_folder(folder, tmp_path):
    names = ["sub0/00.png", "sub1/01.png"]
    (folder / "some.csv").write_text("path,x\n" + ",\n".join(names) + ",\n")
    done, _ = embed(folder / "some.csv", tmp_path / "a.parquet")
    assert done.images == 2 and list(rows_of(done.path)) == names
    images = np.stack([decode_square(folder / n, SIDE, 3) for n in names])
    np.savez(tmp_path / "a.npz", test_images=images)
    arrays, _ = embed(tmp_path / "a.npz", tmp_path / "b.parquet")
    assert list(rows_of(arrays.path)) == ["test/0", "test/1"]
    for one, other in zip(
        rows_of(done.path).values(), rows_of(arrays.path).values(), strict=True
    ):
        assert one["representation"] == other["representation"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    for number in range(11):
        save_image(folder, f"sub{number % 3}/{number:02}.png", number)
    return folder


def test_every_image_has_its_representation(folder, tmp_path):
    wide = save_image(folder, "wïde 日本.png", 99, (2 * SIDE, SIDE))
    target = tmp_path / "e.parquet"
    done, _ = embed(folder, target)
    rows = rows_of(target)
    assert (done.images, done.unread, done.new) == (12, [], 12)
    assert list(rows) == sorted(rows)
    centre = wide[:, SIDE // 2 : -SIDE // 2] / np.float32(255)
    found = rows["wïde 日本.png"]["representation"]
    np.testing.assert_allclose(found, centre.ravel(), atol=1e-6)


def test_bad_files_are_listed_and_do_not_stop_it(folder, tmp_path):
    good = (folder / "sub0/00.png").read_bytes()
    rng = np.random.default_rng(0)
    for number in range(30):
        bad = bytearray(good[: rng.integers(0, len(good))])
        for place in rng.integers(0, max(1, len(bad)), 5):
            if bad:
                bad[place] = rng.integers(256)
        (folder / f"bad{number}.png").write_bytes(bytes(bad))
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with open(os.fsencode(folder / "latin_") + b"\xe9.png", "wb") as file:
        file.write(good)
    done, seen = embed(folder, tmp_path / "e.parquet")
    rows = rows_of(tmp_path / "e.parquet")
    assert len(rows) == 11 + 32 and seen == done.images
    unread = dict(done.unread)
    assert len(unread) + done.images == len(rows)
    assert unread["gone.jpg"] == "no such file or directory"
    assert "UTF-8" in unread["latin_\\udce9.png"]
    for path, row in rows.items():
        assert (row["representation"] is None) == (path in unread)
        assert row["status"] == unread.get(path, "ok")


def test_a_killed_run_goes_on_and_embeds_nothing_twice(folder, tmp_path):
    whole, target = tmp_path / "whole.parquet", tmp_path / "e.parquet"
    embed(folder, whole)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, folder, target],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    kept = len(parts.known_files(target))
    assert kept in (4, 6)
    done, seen = embed(folder, target)
    assert seen == done.new == 11 - kept
    assert target.read_bytes() == whole.read_bytes()
    assert not parts.parts_folder(target).exists()


def test_later_only_new_and_changed_images_are_embedded(folder, tmp_path):
    target = tmp_path / "e.parquet"
    embed(folder, target)
    before = target.read_bytes()
    assert embed(folder, target)[1] == 0
    assert target.read_bytes() == before
    pixels = save_image(folder, "sub0/00.png", 77)
    os.utime(folder / "sub0/00.png", ns=(1, 1))
    save_image(folder, "new.png", 78)
    (folder / "sub1/01.png").unlink()
    done, seen = embed(folder, target)
    rows = rows_of(target)
    assert seen == done.new == 2 and done.images == len(rows) == 11
    assert "sub1/01.png" not in rows and "new.png" in rows
    np.testing.assert_allclose(
        rows["sub0/00.png"]["representation"],
        pixels.ravel() / np.float32(255),
        atol=1e-6,
    )


def test_what_another_encoder_made_is_refused(folder, tmp_path):
    target = tmp_path / "e.parquet"
    embed(folder, target)
    other = pixel_encoder(sha256="b" * 64)
    with pytest.raises(ValueError, match=r"another encoder \(aaa.*, now bbb"):
        embed(folder, target, encoder=other)
    parts.parts_folder(target).mkdir()
    target.rename(parts.parts_folder(target) / "part-00000000.parquet")
    with pytest.raises(ValueError, match=r"part-0.*another encoder"):
        embed(folder, target, encoder=other)


def test_another_folder_is_refused(folder, tmp_path):
    embed(folder, tmp_path / "e.parquet")
    with pytest.raises(ValueError, match=r"another folder .*choose another"):
        embed(folder / "sub0", tmp_path / "e.parquet")


def test_another_column_of_a_table_is_refused(tmp_path):
    target, row = tmp_path / "e.parquet", np.ones(2, np.float32)
    about = {"origin": {"folder": "texts"}, "column": "title"}
    with parts.PartWriter(target, 2, about) as writer:
        writer.add(Row("a.csv:1", row, OK, 1, 2))
    parts.check_origin(target, about)
    with pytest.raises(ValueError, match=r"another column \(title, now body\)"):
        parts.check_origin(target, {**about, "column": "body"})


def test_representations_that_are_not_finite_are_left_out(folder, tmp_path):
    class Diverged(Pixels):
        def __call__(self, images):
            vectors = super().__call__(images)
            vectors[0, 0] = np.nan
            return vectors

    done, _ = embed(folder, tmp_path / "e.parquet", extract=Diverged())
    assert len(done.unread) == 4  # one of every batch
    assert "not finite" in done.unread[0][1]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_prepared_as_in_evaluation(folder, tmp_path, channels):
    inputs = keras.Input((3, 3, channels))
    encoder = keras.Model(inputs, keras.layers.Flatten()(inputs))
    view = CentreView(3, 0.75)
    made = dataclasses.replace(
        pixel_encoder(channels), model=encoder, preprocessor=view
    )
    embed_folder(made, folder, tmp_path / "e.parquet", {}, batch_size=4)
    image = decode_square(folder / "sub2/05.png", SIDE, channels)
    wanted = encoder(view(image[None]))[0]
    row = rows_of(tmp_path / "e.parquet")["sub2/05.png"]
    np.testing.assert_allclose(row["representation"], wanted, atol=1e-6)


def test_folders_without_anything_to_embed_are_refused(tmp_path):
    target = tmp_path / "e.parquet"
    with pytest.raises(ValueError, match="there is no file or folder"):
        embed(tmp_path / "nowhere", target)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no image in"):
        embed(empty, target)
    (empty / "bad.png").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"none of the 1 files.*bad\.png"):
        embed(empty, target)
    assert os.listdir(tmp_path) == ["empty"]
    Image.new("RGB", (SIDE, SIDE)).save(empty / "good.png")
    assert embed(empty, target)[0].images == 1
