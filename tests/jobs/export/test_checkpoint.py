"""Encoders of checkpoints, while a run trains and after it."""

import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from byol_tf.export import formats
from byol_tf.jobs.export import build as export_builders
from byol_tf.jobs.export import checkpoint
from byol_tf.jobs.pretrain import build as pretrain_builders
from byol_tf.locks import owned_folder
from byol_tf.runs.config import save_config
from byol_tf.runs.encoder import load_encoder
from byol_tf.training.checkpoints import CheckpointStore
from configs import base
from tests.support.exporting import options
from tests.support.runs import tiny_config, write_arrays

SCALES = {"best": 2.0, "last": 3.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An unfinished run with two checkpoints, and its encoders' vectors."""
    folder = tmp_path_factory.mktemp("unfinished")
    write_arrays(folder / "data.npz")
    config = tiny_config(folder / "data.npz")
    workdir = folder / "run"
    workdir.mkdir()
    save_config(config, workdir)
    job = pretrain_builders.pretraining(config, workdir)
    model = job.model
    store = CheckpointStore(workdir / "checkpoints", model)
    rows = np.asarray(job.train.rows[:4])
    wanted, first = {}, model.encoder.get_weights()
    for step, (name, scale) in enumerate(SCALES.items(), 5):
        model.encoder.set_weights([scale * w for w in first])
        model.step.assign(step)
        store.save_best(1.0) if name == "best" else store.save()
        wanted[name] = np.asarray(model.encoder(job.prepare(rows)))
    return workdir, rows, wanted


def export(workdir, target, which, names=("keras",)):
    return export_builders.export(
        options(**{"verify.max_knn_loss": 1.0}),
        *(workdir, target, base.get_config(), names, which),
    )


@pytest.mark.slow
@pytest.mark.parametrize("which,step", [("best", 5), ("last", 6)])
def test_the_encoder_of_a_checkpoint_is_exported_while_the_run_goes_on(
    run, tmp_path, which, step
):
    workdir, rows, wanted = run
    before = sorted(workdir.rglob("*"))
    with owned_folder(workdir):  # as training does
        about = export(workdir, tmp_path, which)["keras"]
    assert about["checkpoint"] == {"which": which, "step": step}
    folder = tmp_path / "keras" / "1"
    encoder = load_encoder(folder)
    got = encoder.model(encoder.preprocessor(rows))
    np.testing.assert_allclose(got, wanted[which], atol=1e-4)
    plain = keras.saving.load_model(folder / "encoder.keras")
    np.testing.assert_allclose(
        plain(encoder.preprocessor(rows)), wanted[which], atol=1e-4
    )
    card = (folder / "model_card.md").read_text()
    assert "byol_tf.load_encoder" in card and "no evaluation" in card
    kept = json.loads((workdir / "export.json").read_text())
    assert kept["keras"]["checkpoint"]["which"] == which
    (workdir / "export.json").unlink()
    assert sorted(workdir.rglob("*")) == before


def test_rows_are_not_packed_for_an_encoder_that_is_not_trained(
    tmp_path, monkeypatch
):
    save_config(tiny_config("data.npz"), tmp_path)
    job = SimpleNamespace(model=SimpleNamespace(encoder=None))

    def pretraining(config, *_, **__):
        assert config.data.store == "files"
        job.about, job.save = {"config": config.to_dict()}, lambda _: None
        return job

    monkeypatch.setattr(pretrain_builders, "pretraining", pretraining)
    monkeypatch.setattr(checkpoint, "find_checkpoint", lambda *_: None)
    monkeypatch.setattr(checkpoint, "restore_encoder", lambda *_: 7)
    made = checkpoint.run_of_checkpoint(
        options(), tmp_path, base.get_config(), "last"
    )
    with made as (_, step):
        assert step == 7
    assert job.about["config"]["data"]["store"] == "auto"


@pytest.mark.parametrize("which", ["last", "best"])
def test_a_checkpoint_that_is_missing_or_damaged_is_refused(
    run, tmp_path, which
):
    workdir = shutil.copytree(run[0], tmp_path / "run")
    (folder,) = (workdir / "checkpoints").glob(
        "best" if which == "best" else "step-*"
    )
    data = folder / "state.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{folder.name} is damaged"):
        export(workdir, tmp_path / "to", which)
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match=f"no {which} checkpoint"):
        export(workdir, tmp_path / "to", which)


def test_two_exports_into_one_folder_are_not_at_once(run, tmp_path):
    with owned_folder(tmp_path), pytest.raises(OSError, match=r"in use|write"):
        export(run[0], tmp_path, "last")


def test_keras_is_a_format_of_its_own():
    formats.check_formats(["keras", "saved_model"])
