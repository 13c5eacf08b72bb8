"""A run folder that has moved, without its configuration and its data."""

import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from byol_tf.jobs.embed import build as embed_builders
from byol_tf.jobs.evaluate import build as evaluation_builders
from byol_tf.jobs.export import build as export_builders
from byol_tf.jobs.finetune import build as finetune_builders
from byol_tf.jobs.pretrain import build as builders
from byol_tf.runs.config import save_config
from byol_tf.runs.encoder import load_encoder
from configs import base, embed, eval_linear
from tests.support.eager import eagerly
from tests.support.embeddings import save_image
from tests.support.exporting import options
from tests.support.finetuning import build, finetune_config
from tests.support.runs import tiny_config, write_arrays

SIZE = 12


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Pretrained and fine-tuned; then moved, the rest is gone."""
    folder = tmp_path_factory.mktemp("before")
    write_arrays(folder / "data.npz")
    config = tiny_config(folder / "data.npz")
    save_config(config, folder / "run")
    one = {"variants": ("frozen",), "head_learning_rates": (1.0,)}
    with eagerly():
        builders.pretraining(config, folder / "run").run(folder / "run")
        build(folder / "run", **one).run(folder / "run")
    workdir = tmp_path_factory.mktemp("after") / "moved"
    shutil.move(folder / "run", workdir)
    shutil.rmtree(folder)
    (workdir / "config.yaml").unlink()
    return workdir


@pytest.fixture
def images(tmp_path):
    for number in range(3):
        save_image(tmp_path / "images", f"{number}.png", number, (SIZE, SIZE))
    return tmp_path / "images"


def pixels(images):
    return np.stack(
        [
            tf.io.decode_png((images / f"{n}.png").read_bytes()).numpy()
            for n in range(3)
        ]
    )


def wanted(moved, images):
    encoder = load_encoder(moved)
    return np.asarray(encoder.model(encoder.preprocessor(pixels(images))))


def test_its_encoder_says_what_it_takes(moved):
    encoder = load_encoder(moved)
    assert encoder.spec == {
        "image": tf.TensorSpec([SIZE, SIZE, 3], tf.uint8, "image")
    }
    assert encoder.sizes["image_size"] == encoder.sizes["view_size"] == SIZE
    assert encoder.about["title"] == "BYOL on data"
    assert encoder.about["crops"]["area"] == [0.5, 1.0]


def test_it_keeps_training_rows_with_their_labels(moved):
    with np.load(moved / "samples.npz") as file:
        assert file["rows"].shape == (64, SIZE, SIZE, 3)
        assert set(file["labels"]) == {0, 1}


def test_it_is_exported(moved, images, tmp_path):
    names = ["saved_model", "onnx", "litert"]
    exported = export_builders.export(
        options(**{"verify.max_knn_loss": 0.2}),
        moved,
        tmp_path / "to",
        base.get_config(),
        names,
    )
    assert list(exported) == names
    about = exported["saved_model"]
    knn = about["verification"]["forms"]["saved_model"]["knn"]
    assert (knn["bank"], knn["queries"]) == (32, 64)
    assert about["classes"] == ["0", "1"]
    loaded = tf.saved_model.load(str(tmp_path / "to" / "1"))
    got = loaded.signatures["images"](images=tf.constant(pixels(images)))
    np.testing.assert_allclose(
        got["representations"], wanted(moved, images), 1e-4, 1e-5
    )


def test_it_embeds(moved, images):
    target = moved / "embeddings.parquet"
    embed_builders.embed(embed.get_config(), moved, images, target)
    got = np.stack(pq.read_table(target)["representation"].to_pylist())
    np.testing.assert_allclose(got, wanted(moved, images), 1e-4, 1e-5)
    search = embed_builders.Search(embed.get_config(), target)
    ((_, found),), _ = search.query([str(images / "0.png")])
    assert len(found) == 2


def test_its_classifier_predicts(moved, images):
    done = finetune_builders.predict(
        finetune_config(), moved, images, task="classification"
    )
    with open(done.path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert {row["label"] for row in rows} <= {"0", "1"}
    beside = done.path.with_name(f"{done.path.name}.json")
    said = json.loads(beside.read_text())
    its = json.loads((moved / "classifier.json").read_text())
    assert said["model"] == str((moved / "classifier.keras").resolve())
    assert said["task"] == "classification" and said["data"] == its["data"]
    assert said["sha256"] == its["sha256"] is not None


def test_its_classifier_says_the_same_and_the_task(moved):
    ours = json.loads((moved / "preprocessor.json").read_text())
    its = json.loads((moved / "classifier.json").read_text())
    assert its["task"] == "classification" and its["columns"] == ["0", "1"]
    same = ("modality", "spec", "sizes", "crops", "schema", "title", "data")
    assert {k: ours[k] for k in same} == {k: its[k] for k in same}


def evaluation(workdir, **fields):
    config = eval_linear.get_config()
    config.update_from_flattened_dict({"sgd.epochs": 0, **fields})
    return evaluation_builders.linear_evaluation(
        config, workdir, base.get_config()
    )


def test_it_is_judged_on_data_that_are_named(moved, tmp_path):
    write_arrays(tmp_path / "other.npz")
    named = {"data.source": "arrays", "data.dir": str(tmp_path / "other.npz")}
    job = evaluation(moved, **named)
    assert job.train.num_examples == 64
    with pytest.raises(ValueError, match=r"no config\.yaml.*--data=DIR"):
        evaluation(moved)
