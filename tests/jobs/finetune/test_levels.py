"""A task of its own, from a feature map, through the whole job."""

import csv
import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from byol_tf.jobs.finetune import build as finetune_builders
from byol_tf.jobs.finetune.trainer import FineTuner, Weights
from byol_tf.modalities.image.supervised import SupervisedAugment
from byol_tf.tasks.keypoints import Keypoints
from configs import base, finetune
from tests.support.eager import eagerly
from tests.support.runs import make_run
from tests.support.spots import make_spots

TASK = "tests.support.spots:Spots"
SIDE = 24
NUMBERS = {
    "batch_size": 16,
    "min_steps": 60,
    "max_steps": 60,
    "eval_every": 20,
    "encode_batch": 5,
    "learning_rates": (0.4,),
    "head_learning_rates": (3.0,),
}


def config_of(folder, **overrides):
    config = finetune.get_config()
    config.update_from_flattened_dict(
        {
            **NUMBERS,
            "data.source": "folder",
            "data.dir": str(folder),
            "data.test_split": "",
            "data.image_size": SIDE,
            "data.channels": 3,
            "labels_file": "spots.csv",
            **overrides,
        }
    )
    return config


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return make_run(
        tmp_path_factory.mktemp("levels"),
        size=SIDE,
        **{"encoder.blocks": (1, 1, 1), "encoder.widths": (8, 8, 16)},
    )


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    return make_spots(tmp_path_factory.mktemp("data") / "spots", side=SIDE)


@pytest.fixture(scope="module")
def finished(run_folder, spots):
    config = config_of(spots, seeds=1)
    job = finetune_builders.fine_tuning(
        config, run_folder, base.get_config(), task=TASK, labels=["100%"]
    )
    return config, job, job.run(run_folder)


@pytest.fixture(autouse=True)
def _only_the_finished_run_is_compiled(finished):
    with eagerly():
        yield


def test_a_heat_map_of_a_level_is_learned_from_moving_targets(finished):
    _, job, result = finished
    assert job.draw is not None
    variants = result["fractions"]["100%"]["variants"]
    assert set(variants) == {"fine-tuned", "frozen", "scratch"}
    for variant in ("fine-tuned", "scratch"):
        assert variants[variant]["test"]["mean"] > 0.7
        for run in variants[variant]["runs"]:
            assert np.isfinite(run["validation"]["loss"])
    assert result["metric"] == "hits"


def test_a_step_sees_targets_where_the_spots_are(finished, monkeypatch):
    _, job, _ = finished
    seen, step = [], FineTuner.step

    def watched(self, inputs, targets, **options):
        seen.append((inputs.numpy(), targets["points"].numpy()))
        return step(self, inputs, targets, **options)

    monkeypatch.setattr(FineTuner, "step", watched)
    other = dataclasses.replace(
        job,
        settings=dataclasses.replace(
            job.settings, variants=("frozen",), min_steps=5, max_steps=5
        ),
    )
    other._choose(other.fractions[0], "frozen")
    views, points = map(np.concatenate, zip(*seen, strict=True))
    row, spot = np.nonzero(~np.isnan(points[..., 0]))
    x, y = np.minimum(points[row, spot] * SIDE, SIDE - 1).astype(int).T
    assert (views[row, y, x].mean(axis=-1) > 0.6).mean() > 0.95
    whole = job._examples.targets["points"]
    assert len(row) / len(views) < 0.95 * np.isfinite(whole[..., 0]).sum() / 72


def test_metrics_come_batch_by_batch(finished):
    (run,) = finished[2]["fractions"]["100%"]["variants"]["frozen"]["runs"]
    assert finished[2]["test_images"] == 8
    assert run["test"]["batches"] == 2


def test_predictions_are_rows_for_each_spot_in_pixels(
    finished, run_folder, tmp_path
):
    config = finished[0]
    expected = {}
    for name, (x, y) in {"a.png": (6, 18), "b.png": (18, 6)}.items():
        # Wide: the centre square begins at column 12.
        pixels = np.full((SIDE, 2 * SIDE, 3), 30, np.uint8)
        pixels[y - 2 : y + 2, x + 10 : x + 14] = 255
        Image.fromarray(pixels).save(tmp_path / name)
        expected[name] = x + 12, y
    (tmp_path / "bad.png").write_bytes(b"no image")
    done = finetune_builders.predict(config, run_folder, tmp_path, task=TASK)
    with open(done.path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "status", "x", "y"]
    assert {row["path"] for row in rows} == {"bad.png", *expected}
    for name, point in expected.items():
        found = [row for row in rows if row["path"] == name]
        assert 1 <= len(found) <= 2 and found[0]["status"] == "ok"
        xy = [float(found[0][axis]) for axis in "xy"]
        np.testing.assert_allclose(xy, point, atol=5)
    assert [row["x"] for row in rows if row["path"] == "bad.png"] == [""]


def test_a_level_that_is_missing_is_refused_with_those_there_are(
    finished, monkeypatch
):
    _, job, _ = finished
    monkeypatch.setattr(type(job.task), "consumes", lambda *_: ("P7",))
    other = dataclasses.replace(job)
    with pytest.raises(ValueError, match=r"'P7', but .* vector, P1, P2"):
        other._tuner(other.fractions[0], 0)


def test_the_weights_of_an_encoder_within_another_are_trained(finished):
    _, job, _ = finished
    inner = job.encoder.model
    inputs = keras.Input(inner.input_shape[1:])
    about = {k: v for k, v in job.encoder.about.items() if k != "levels"}
    nested = dataclasses.replace(
        job.encoder, model=keras.Model(inputs, inner(inputs)), about=about
    )
    other = dataclasses.replace(job, encoder=nested)
    tuner = other._tuner(other.fractions[0], 0)
    weights = Weights(other._first_weights("fine-tuned", 0), tuner.new_head(0))
    tuner.reset(weights)
    found = tuner.judge(*other._examples, 16)
    original = job._tuner(job.fractions[0], 0)
    original.reset(weights)
    assert found == pytest.approx(original.judge(*job._examples, 16), rel=1e-5)
    batch = other._examples.subset(np.arange(8))
    views, targets = tuner.views(batch.examples.rows, batch.targets, 0, 0)
    tuner.step(views, targets, rate=0.1, decay=0.0, whole=True)
    assert (tuner.weights().encoder[0] != weights.encoder[0]).any()


def test_keypoints_learn_from_crops_if_told(run_folder, spots):
    table = (
        (spots / "spots.csv").read_text().replace("x0,y0,x1,y1", "a_x,a_y,,")
    )
    lines = [line.split(",")[:3] for line in table.splitlines()]
    (spots / "a.csv").write_text("\n".join(map(",".join, lines)))
    overrides = {"labels_file": "a.csv", "task.crops": True, "min_steps": 4}
    job = finetune_builders.fine_tuning(
        config_of(spots, **overrides, max_steps=4, variants=("frozen",)),
        run_folder,
        base.get_config(),
        task="keypoints",
        labels=["100%"],
    )
    assert job.draw is not None and job.task.options()["crops"]
    tuner = job._tuner(job.fractions[0], 0)
    rows, targets = job.train.examples.rows[:16], job._examples.targets[:16]
    _, moved = tuner.views(rows, targets, seed=0, step=0)
    assert np.nanmax(np.abs(moved - targets)) > 0.05


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"crop_fraction": 0.875}, "leave crop_fraction at 1"),
        ({"data.image_size": 0}, r"set data\.image_size"),
    ],
)
def test_views_of_other_parts_than_the_targets_are_refused(
    run_folder, spots, changed, message
):
    config = config_of(spots, **changed)
    with pytest.raises(ValueError, match=message):
        finetune_builders.fine_tuning(
            config, run_folder, base.get_config(), task=TASK, labels=["100%"]
        )


def test_points_are_not_augmented_by_what_would_leave_them_behind(finished):
    _, job, _ = finished
    augment = SupervisedAugment("randaugment")
    for task in (job.task, Keypoints(("a_x", "a_y"))):
        with pytest.raises(ValueError, match=r"leave augment\.name at none"):
            dataclasses.replace(job, task=task, augment=augment)
