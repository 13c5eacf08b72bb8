"""Jobs on photos that stay files: views from originals of several sizes."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from byol_tf.data.examples import Encoded, Examples
from byol_tf.jobs.evaluate.build import linear_evaluation
from byol_tf.jobs.export import build as export_builders
from byol_tf.jobs.finetune.build import fine_tuning
from byol_tf.jobs.pretrain import build as builders
from byol_tf.jobs.pretrain import resume
from byol_tf.jobs.tune.build import measure_label_free
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.reading import image_decoder
from byol_tf.runs import config as run_config
from byol_tf.training.health import NothingToLearnWarning
from configs import base, eval_linear, finetune, tune
from tests.support.eager import eagerly
from tests.support.exporting import options
from tests.support.runs import tiny_config

CLASSES, EACH, BAD = ("dark", "bright"), 14, "03.png"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """28 photos of several sizes in two classes; one is damaged."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("photos")
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for each in range(EACH):
            shape = (*rng.integers(9, 30, 2), 3)
            pixels = rng.integers(0, 100, shape) + 150 * number
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / name / f"{each:02}.png")
    (folder / "dark" / BAD).write_bytes(b"<html>")
    return folder


def run(photos, workdir):
    config = tiny_config("")
    config.data.update(
        source="folder", dir=str(photos), image_size=0, test_split=""
    )
    config.augment.size = 8
    job = builders.pretraining(config, workdir)
    run_config.save_config(config, workdir)
    with eagerly():
        return job, job.run(workdir)


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    return (*run(photos, workdir), workdir)


def test_photos_stay_files_and_are_learned_from(finished):
    job, result, workdir = finished
    assert job.train.encoded and job.train.row_shape == (None, None, 3)
    assert np.isfinite(result["after"]["knn_accuracy"])
    for name in ("encoder.keras", "views.png", "report.html"):
        assert (workdir / name).stat().st_size


def test_the_damaged_photo_is_listed_once(photos, finished):
    with open(finished[2] / "bad_images.csv", newline="") as file:
        _, *rows = csv.reader(file)
    assert [path for path, _ in rows] == [str(photos / "dark" / BAD)]


def test_the_same_run_gives_the_same_weights(photos, finished, tmp_path):
    job, _ = run(photos, tmp_path)
    for ours, theirs in zip(
        job.model.encoder.get_weights(),
        finished[0].model.encoder.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_photos_are_measured_without_labels(finished):
    kept = run_config.config_of_run(None, finished[2], base.get_config())
    numbers = measure_label_free(
        *(tune.get_config(), finished[2]),
        load=lambda path, overrides: kept,
        defaults=base.get_config(),
    )
    assert all(map(np.isfinite, numbers.values()))


def test_a_linear_evaluation_leaves_the_damaged_photo_out(finished):
    config = eval_linear.get_config()
    config.sgd.update(epochs=1, batch_size=8, random_encoder=False)
    job = linear_evaluation(config, finished[2], base.get_config())
    paths = job.train.paths + job.load_test().paths
    assert len(set(paths)) == len(paths) == 2 * EACH - 1
    assert f"dark/{BAD}" not in paths
    with eagerly():
        result = job.run(finished[2], "eval_linear")
    assert result["images"] == job.train.num_examples


def test_photos_of_one_colour_are_told_whatever_their_sizes():
    decoder, files = image_decoder(), [io.BytesIO() for _ in range(3)]
    for number, file in enumerate(files):
        Image.new("RGB", (20 + number, 30), (90, 40, 7)).save(file, "PNG")
    rows = Encoded([file.getvalue() for file in files])
    blank = Examples(
        *(rows, np.zeros(3, np.int32), (), "photos"),
        decode=decoder.decode,
        spec=decoder.spec,
    )
    with pytest.warns(NothingToLearnWarning, match="identical_examples"):
        resume._warn_of(blank, CentreView(8))


def test_later_jobs_test_on_photos_that_pretraining_held_out(finished):
    config = eval_linear.get_config()
    later = linear_evaluation(config, finished[2], base.get_config())
    assert later.load_test().paths == finished[0].test.paths


def test_photos_are_fine_tuned_on_views_of_the_originals(finished):
    config = finetune.get_config()
    config.update(
        batch_size=8,
        seeds=1,
        grid_seeds=1,
        min_steps=4,
        max_steps=4,
        eval_every=2,
        learning_rates=(0.1,),
        head_learning_rates=(0.1,),
        weight_decays=(0.0,),
        variants=("fine-tuned",),
    )
    job = fine_tuning(
        *(config, finished[2], base.get_config()),
        task="classification",
        labels=["100%"],
    )
    with eagerly():
        result = job.run(finished[2])
    assert result["labelled_images"] == job.train.examples.num_examples == 25
    assert result["test_images"] == 2


@pytest.mark.parametrize("on_data", [False, True])
def test_it_is_exported_on_kept_photos_and_on_files(
    photos, finished, tmp_path, on_data
):
    """The kept ones are decoded; of the damaged one there is none."""
    workdir, fields = finished[2], {}
    if on_data:
        fields = {"source": "folder", "dir": str(photos), "test_split": ""}
    config = options(
        **{f"data.{name}": value for name, value in fields.items()},
        **{"verify.max_knn_loss": 0.2},
    )
    (about,) = export_builders.export(
        config, workdir, tmp_path, base.get_config()
    ).values()
    assert about["image_size"] == 16  # twice the views' side
    form = about["verification"]["forms"]["saved_model"]
    assert form["by_signature"]["images"]["smallest_cosine"] > 0.9999
    assert form["knn"]["exported"] == form["knn"]["keras"]
