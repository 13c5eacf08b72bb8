"""Run folders that earlier releases wrote, and what is done with them today."""

import csv
import pathlib
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from byol_tf.evaluation.features import extract_features
from byol_tf.jobs.export import build as export_builders
from byol_tf.jobs.pretrain import build as builders
from byol_tf.runs import config as run_config
from byol_tf.runs.encoder import load_classifier, load_encoder
from byol_tf.runs.predictor import predict_folder
from byol_tf.training.metrics import read_metrics
from configs import base, export
from tests.support.runs import write_arrays

DATA = pathlib.Path(__file__).parents[1] / "data"
RELEASES = ("0_1", "0_2")
STEPS = 16
SIZE = 12


@pytest.fixture(params=RELEASES)
def workdir(request, tmp_path, monkeypatch):
    """A copy of a folder beside its data, as the run saw them."""
    shutil.copytree(DATA / f"run_of_release_{request.param}", tmp_path / "run")
    write_arrays(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def job_of(workdir):
    config = run_config.config_of_run(None, workdir, base.get_config())
    return builders.pretraining(config, workdir)


def test_its_encoder_loads(workdir):
    encoder = load_encoder(workdir).model
    images = np.zeros((2, SIZE, SIZE, 3), np.float32)
    assert np.isfinite(encoder.predict(images, verbose=0)).all()


def test_it_continues_from_its_checkpoint_to_the_same_end(workdir):
    shutil.rmtree(workdir / "checkpoints" / f"step-{STEPS:09d}")
    before = load_encoder(workdir).model.get_weights()
    job = job_of(workdir)
    result = job.run(workdir)
    assert result["steps"] == STEPS and result["skipped_steps"] == 0
    assert "rollbacks" not in result
    trained, kept = job.model.encoder, load_encoder(workdir).model
    for ours, saved, theirs in zip(
        trained.get_weights(), kept.get_weights(), before, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
        if ours.shape:  # files keep no count of a batch norm's updates
            np.testing.assert_array_equal(saved, ours)
    lines = read_metrics(workdir / "metrics.jsonl")
    losses = [line["step"] for line in lines if "loss" in line]
    assert losses == list(range(2, STEPS + 1, 2))


def test_it_is_exported(workdir):
    config = export.get_config()
    small = {"verify.images": 20, "verify.batch": 8, "verify.repeats": 1}
    config.update_from_flattened_dict(small)
    exported = export_builders.export(
        config, workdir, workdir.parent / "exported", base.get_config()
    )
    measured = exported["saved_model"]["verification"]["forms"]
    for form in measured.values():
        assert form["by_signature"]["images"]["smallest_cosine"] > 0.9999


@pytest.mark.parametrize("workdir", ["0_2"], indirect=True)
def test_its_models_give_what_they_gave_then(workdir):
    with np.load("data.npz") as file:
        images = file["test_images"]
    encoder = load_encoder(workdir)
    classifier = load_classifier(workdir, "classifier")
    ours = {
        name: extract_features(one.model, images, prepare=one.preprocessor)
        for name, one in (
            ("representations", encoder),
            ("probabilities", classifier),
        )
    }
    with np.load(workdir / "reference.npz") as theirs:
        for name, values in ours.items():
            np.testing.assert_allclose(values, theirs[name], atol=1e-5)


@pytest.mark.parametrize("workdir", ["0_2"], indirect=True)
def test_its_classifier_predicts_files(workdir, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    with np.load("data.npz") as file:
        for i, image in enumerate(file["test_images"][:3]):
            Image.fromarray(image).save(folder / f"{i}.png")
    classifier = load_classifier(workdir, "classifier")
    done = predict_folder(classifier, folder, tmp_path / "out.csv")
    with open(done.path, newline="") as file:
        rows = list(csv.DictReader(file))
    found = [[float(row[c]) for c in classifier.task.columns] for row in rows]
    with np.load(workdir / "reference.npz") as theirs:
        np.testing.assert_allclose(
            found, theirs["probabilities"][:3], atol=1e-5
        )


def with_fields(workdir, section, **fields):
    path = workdir / "config.yaml"
    values = yaml.safe_load(path.read_text())
    values[section].update(fields)
    path.write_text(yaml.safe_dump(values))
    return workdir


@pytest.mark.parametrize("workdir", ["0_2"], indirect=True)
def test_retired_fields_that_did_nothing_are_dropped(workdir):
    with_fields(workdir, "data", service="")
    with_fields(workdir, "faults", rollbacks=7)
    config = run_config.config_of_run(None, workdir, base.get_config())
    known = run_config.flatten(base.get_config().to_dict())
    assert run_config.flatten(config.to_dict()).keys() == known.keys()


@pytest.mark.parametrize("workdir", ["0_2"], indirect=True)
@pytest.mark.parametrize(
    "section,field,value,instead",
    [
        ("data", "service", "grpc://host:1", "--strategy=multi_worker"),
        ("faults", "action", "rollback", "faults.action=skip"),
    ],
)
def test_a_retired_value_that_mattered_is_told_with_its_replacement(
    workdir, section, field, value, instead
):
    with_fields(workdir, section, **{field: value})
    with pytest.raises(ValueError, match=instead) as error:
        run_config.config_of_run(None, workdir, base.get_config())
    told = f"config.yaml is not the configuration of a run: {section}.{field}="
    assert told in str(error.value)
