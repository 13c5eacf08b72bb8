"""A modality of one's own passes through the jobs of the scripts.

Signals of free length in files, two classes by their frequency, see
`tests/support/toy_modality.py`.
"""

import base64
import csv
import functools
import io
import json
import re
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf import load_encoder
from byol_tf.data.batches import training_batches
from byol_tf.jobs.embed import build as embed_build
from byol_tf.jobs.evaluate import build as evaluate_build
from byol_tf.jobs.export import build as export_build
from byol_tf.jobs.finetune import build as finetune_build
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.jobs.pretrain import data as data_build
from byol_tf.runs.config import config_of_run, save_config
from byol_tf.runs.encoder import load_classifier
from byol_tf.runs.predictor import predict_folder
from byol_tf.seeds import step_seed
from configs import base, embed, eval_linear, export, finetune
from tests.support import toy_modality
from tests.support.runs import tiny_config

NAME = "tests.support.toy_modality:SIGNALS"
CLASSES = {"low": 0.05, "high": 0.2}  # turns a sample


def write_signals(folder, count, seed):
    rng = np.random.default_rng(seed)
    for number in range(count):
        label = list(CLASSES)[number % 2]
        time = np.arange(rng.integers(40, 200))
        turns = CLASSES[label] * rng.uniform(0.9, 1.1) * time
        signal = np.sin(2 * np.pi * (turns + rng.uniform()))
        signal += rng.normal(scale=0.1, size=len(time))
        (folder / label).mkdir(parents=True, exist_ok=True)
        np.save(folder / label / f"{number:03}.npy", signal.astype(np.float32))


def config_of(folder):
    own = {"modality": NAME, "data.source": "folder"}
    return tiny_config(folder, **own)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `data`, one file of them damaged, and a finished `run`."""
    folder = tmp_path_factory.mktemp("toy")
    write_signals(folder / "data" / "train", 64, seed=0)
    write_signals(folder / "data" / "test", 24, seed=1)
    (folder / "data" / "train" / "low" / "010.npy").write_bytes(b"damaged")
    config = config_of(folder / "data")
    pretrain_build.pretraining(config, folder / "run").run(folder / "run")
    save_config(config, folder / "run")
    return folder


@pytest.fixture(scope="module")
def vectors(folder):
    """Names of the test files, and the encoder's own vectors of each alone."""
    encoder = load_encoder(folder / "run")
    paths = sorted((folder / "data" / "test").rglob("*.npy"))
    rows = [encoder.preprocessor(np.load(path)[None]) for path in paths]
    alone = [encoder.model(row, training=False)[0] for row in rows]
    return paths, np.stack(alone)


def test_the_run_folder_explains_itself(folder):
    names = {path.name for path in (folder / "run").iterdir()}
    assert names >= {
        *("encoder.keras", "preprocessor.json", "samples.npz", "train.json"),
        *("report.html", "views.png", "metrics.jsonl"),
    }


def test_the_damaged_file_is_named(folder):
    text = (folder / "run" / "bad_signals.csv").read_text()
    assert "low/010.npy" in text and "not a .npy file" in text


def test_a_resumed_run_reads_and_cuts_the_same_rows(folder):
    train, _ = data_build.data(config_of(folder / "data"), folder / "again")
    views = toy_modality.Cuts(1.0)
    batches = functools.partial(
        training_batches,
        train,
        16,
        seed=0,
        views=views,
        view_seed=functools.partial(step_seed, 0),
    )
    whole = list(batches(num_steps=6))
    rest = list(batches(start_step=4, num_steps=2))
    for ours, theirs in zip(rest, whole[4:], strict=True):
        for one, other in zip(
            tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_levels_say_their_stride(folder):
    assert load_encoder(folder / "run").levels == {"frames": 4}


def test_it_is_evaluated(folder):
    config = eval_linear.get_config()
    config.sgd.epochs, config.modality = 0, NAME
    job = evaluate_build.linear_evaluation(
        config, folder / "run", base.get_config()
    )
    result = job.run(folder / "run")
    rows = json.loads((folder / "run" / "eval_linear.json").read_text())
    assert rows.keys() == result.keys()
    assert (folder / "run" / "eval_linear_confusion.png").exists()
    text = evaluate_build.linear_evaluation_name(config)
    assert text == "eval_linear"


@pytest.fixture(scope="module")
def classifier(folder):
    config = finetune.get_config()
    config.update_from_flattened_dict(
        {
            "modality": NAME,
            "min_steps": 20,
            "max_steps": 20,
            "learning_rates": (0.1,),
            "head_learning_rates": (0.4,),
        }
    )
    job = finetune_build.fine_tuning(
        config,
        folder / "run",
        base.get_config(),
        task="classification",
        labels=["50%"],
    )
    job.run(folder / "run")
    return load_classifier(folder / "run", "classifier", modality=NAME)


def test_it_is_fine_tuned_and_predicts_files(folder, classifier):
    predict_folder(classifier, folder / "data" / "test", folder / "p.csv")
    with open(folder / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24 and {row["status"] for row in rows} == {"ok"}
    right = [row["label"] == row["path"].split("/")[0] for row in rows]
    assert np.mean(right) >= 0.8


def test_embeddings_are_the_vectors_of_each_file_alone(folder, vectors):
    config = embed.get_config()
    config.modality = NAME
    source = folder / "data" / "test"
    embed_build.embed(config, folder / "run", source, folder / "e.parquet")
    table = pq.read_table(folder / "e.parquet").to_pydict()
    assert table["path"] == [
        path.relative_to(source).as_posix() for path in vectors[0]
    ]
    found = table["representation"]
    np.testing.assert_allclose(found, vectors[1], atol=1e-5)


@pytest.fixture(scope="module")
def search(folder):
    config = embed.get_config()
    config.modality, config.map.images = NAME, 9
    source = folder / "data" / "test"
    embed_build.embed(config, folder / "run", source, folder / "s.parquet")
    return embed_build.Search(config, folder / "s.parquet")


def test_files_near_to_others_are_found_and_drawn(folder, search):
    source = folder / "data" / "test"
    paths = [search.embeddings.path_of(row) for row in range(12)]
    results, sheet = search.query([str(source / path) for path in paths])
    found = [[near for near, _ in pairs] for _, pairs in results]
    assert all(
        path not in near for path, near in zip(paths, found, strict=True)
    )
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"


def test_a_map_shows_what_the_modality_draws_of_files(folder, search):
    assert search.map(folder / "map.html") == 9
    text = (folder / "map.html").read_text()
    (data,) = re.findall(r"data:image/jpeg;base64,([\w+/=]+)", text)
    sprite = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    side, row = len(sprite) // 3, search.embeddings.path_of(0)
    drawn = toy_modality.drawing(np.load(folder / "data" / "test" / row), side)
    shown = sprite[:side, :side].astype(float)
    assert np.corrcoef(shown.ravel(), drawn.ravel())[0, 1] > 0.9


def test_exports_give_the_vectors_of_each_file_alone(
    folder, vectors, classifier
):
    config = export.get_config()
    config.modality = NAME
    names = ("saved_model", "onnx", "litert")
    target = folder / "exported"
    export_build.export(
        config, folder / "run", target, base.get_config(), names
    )
    served = tf.saved_model.load(target / "1").signatures["serving_default"]
    windows = [toy_modality.middle(np.load(path)) for path in vectors[0]]
    found = served(signals=tf.constant(np.stack(windows)))["representations"]
    np.testing.assert_allclose(found, vectors[1], atol=1e-5)
    card = (target / "1" / "assets.extra" / "model_card.md").read_text()
    assert "turns every signal into" in card
    assert "(signals=windows)" in card and "- It sees 64 samples." in card
    assert "image" not in card.lower()


def test_a_file_alone_imports_no_modality(folder, monkeypatch):
    monkeypatch.delitem(
        sys.modules, "tests.support.toy_modality", raising=False
    )
    with pytest.raises(ValueError, match="would have to be imported"):
        load_encoder(folder / "run")
    with pytest.raises(ValueError, match="would have to be imported"):
        config_of_run(None, folder / "run", base.get_config())
