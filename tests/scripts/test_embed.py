"""`embed.py` as a user starts it."""

import csv
import pathlib

import keras
import ml_collections
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from byol_tf.jobs.embed import build as embed_builders
from byol_tf.runs.config import save_config
from configs import base, door
from configs import embed as embed_config
from tests.support.embeddings import save_image
from tests.support.scripts import assert_one_clear_line, run_script

SIZE = 6


def make_run(workdir, channels=3):
    """A run whose encoder gives the pixels."""
    inputs = keras.Input((SIZE, SIZE, channels))
    encoder = keras.Model(inputs, keras.layers.Flatten()(inputs))
    workdir.mkdir()
    encoder.save(workdir / "encoder.keras")
    config = base.get_config()
    config.data.source, config.data.image_size = "folder", 12
    save_config(config, workdir)
    return workdir


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    for number in range(6):
        save_image(folder, f"{'ab'[number % 2]}/{number}.png", number, (14, 12))
    save_image(folder, "a/copy.png", 3, (14, 12))
    (folder / "bad.png").write_bytes(b"?")
    return folder


def config(**changes) -> ml_collections.ConfigDict:
    made = embed_config.get_config()
    made.update(changes)
    return made


def embedded(run, folder, **changes):
    target = run / "embeddings.parquet"
    embed_builders.embed(config(**changes), run, folder, target)
    return target


def test_the_file_says_what_it_was_made_of(run, folder):
    metadata = embed_builders.Search(
        config(), embedded(run, folder)
    ).embeddings.about
    assert metadata["origin"]["image_size"] == 12  # as the run's images
    assert metadata["origin"]["size"] == SIZE
    assert metadata["origin"]["folder"] == str(folder.resolve())
    assert len(metadata["origin"]["encoder"]) == 64
    assert {"keras", "numpy"} <= set(metadata["versions"])


def test_the_nearest_of_an_image_are_found_but_not_itself(run, folder):
    search = embed_builders.Search(config(neighbours=2), embedded(run, folder))
    query = str(folder / "b/3.png")
    ((name, found),), picture = search.query([query])
    assert name == query and len(found) == 2
    assert found[0] == ("a/copy.png", pytest.approx(1, abs=1e-6))
    assert found[1][1] < 0.99
    assert picture == run / "query.png"
    assert Image.open(picture).width > 400


def test_queries_with_another_encoder_are_refused(run, folder, tmp_path):
    search = embed_builders.Search(config(), embedded(run, folder))
    other = make_run(tmp_path / "other", channels=1)
    with pytest.raises(ValueError, match="made with another encoder"):
        search.query([str(folder / "b/3.png")], other)
    with pytest.raises(ValueError, match=r"--query=.*bad\.png: not an image"):
        search.query([str(folder / "bad.png")])


def test_gray_encoders_take_coloured_files(tmp_path, folder):
    run = make_run(tmp_path / "gray", channels=1)
    table = pq.read_table(embedded(run, folder))
    assert len(table["representation"][0]) == SIZE**2
    assert table["status"].to_pylist().count("ok") == 7


@pytest.mark.parametrize("threshold", [0.0, 0.999])
def test_duplicates_are_written_with_a_picture(run, folder, threshold):
    changes = {"duplicates": {"threshold": threshold}}
    search = embed_builders.Search(config(**changes), embedded(run, folder))
    groups, images, rule, files = search.duplicates()
    assert (groups, images) == (1, 2)
    assert "0.999" in rule if threshold else "next one" in rule
    with open(run / "duplicates.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["a/copy.png", "b/3.png"]
    assert files[1] == run / "duplicates.png" and files[1].exists()


def test_images_that_have_moved_are_found_when_told(run, folder, tmp_path):
    target = embedded(run, folder)
    moved = folder.rename(tmp_path / "moved")
    search = embed_builders.Search(config(), target, moved)
    ((_, found),), _ = search.query([str(moved / "b/3.png")])
    assert found[0][0] == "a/copy.png"


@pytest.mark.parametrize(
    "changes,told",
    [
        ({"neighbours": 0}, "`neighbours`"),
        ({"duplicates": {"threshold": 2.0}}, r"duplicates\.threshold"),
        ({"map": {"images": 1}}, r"map\.images"),
        ({"index": {"connectivity": 0}}, r"index\.connectivity"),
        ({"sheet": {"groups": 0}}, r"sheet\.groups"),
    ],
)
def test_wrong_settings_are_refused(run, folder, changes, told):
    target = embedded(run, folder)
    with pytest.raises(ValueError, match=told):
        embed_builders.Search(config(**changes), target)


def test_the_size_of_images_that_are_gone_must_be_given(run, folder):
    lost = base.get_config()
    lost.data.source, lost.data.dir = "arrays", "nowhere.npz"
    lost.augment.size = SIZE  # else it would be that of the images
    save_config(lost, run)
    with pytest.raises(
        ValueError, match=r"earlier release.*--config\.image_size"
    ):
        embedded(run, folder)
    table = pq.read_table(embedded(run, folder, image_size=12))
    assert np.isfinite(table["representation"][0].as_py()).all()


@pytest.mark.slow
def test_all_of_it_by_the_command_line(run, folder, tmp_path):
    done = run_script(
        "embed.py",
        f"--workdir={run}",
        f"--images={folder}",
        "--out=out.parquet",
        f"--query={folder}/b/3.png",
        "--duplicates",
        "--map=map.html",
        "--config.map.perplexity=2.0",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "Read 8 new images; 7 are in out.parquet" in done.stdout
    assert "not read: bad.png: not an image" in done.stdout
    assert "  1.000  a/copy.png" in done.stdout
    assert (
        "Groups of near-duplicates: 1, with 2 images (next one" in done.stdout
    )
    assert "On the map: 7 images; map.html" in done.stdout
    for name in ("query.png", "duplicates.csv", "duplicates.png", "map.html"):
        assert (tmp_path / name).stat().st_size > 0


def test_the_file_is_the_one_that_was_named_or_that_of_the_run():
    path_of = door.embeddings_path
    assert path_of("run", None, None) == pathlib.Path("run/embeddings.parquet")
    assert path_of("run", "a", None) == path_of(None, None, "a")
    with pytest.raises(ValueError, match="different files"):
        path_of("run", "a", "b")
    with pytest.raises(ValueError, match="--workdir=RUN is needed"):
        path_of(None, None, None)


@pytest.mark.parametrize("name", ["vectors.npz", "v.csv"])
def test_a_name_of_another_format_is_refused(name):
    with pytest.raises(ValueError, match=r"Parquet file and not .*\.parquet"):
        door.embeddings_path("run", name, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags,told",
    [
        (["--workdir=run"], "give --images, --query"),
        (["--workdir=nowhere", "--images=images"], "no encoder in"),
    ],
)
def test_a_wrong_command_ends_with_one_clear_line(tmp_path, flags, told):
    assert_one_clear_line(run_script("embed.py", *flags, cwd=tmp_path), told)
