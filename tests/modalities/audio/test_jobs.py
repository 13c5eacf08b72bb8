"""Sounds pass through the jobs of the commands, as images do.

Two kinds of made tones, of several lengths; see `test_toy_jobs.py`.
"""

import csv
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf import load_encoder
from byol_tf.jobs.embed import build as embed_build
from byol_tf.jobs.embed.run import embed_folder
from byol_tf.jobs.evaluate import build as evaluate_build
from byol_tf.jobs.export import build as export_build
from byol_tf.jobs.finetune import build as finetune_build
from byol_tf.jobs.finetune import listen
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.modalities.audio.inputs import wav
from byol_tf.runs.config import save_config
from byol_tf.runs.encoder import load_classifier
from byol_tf.runs.predictor import predict_folder
from byol_tf.search.table import Embeddings
from configs import base, embed, eval_linear, export, finetune
from tests.support.runs import tiny_config

RATE = 8000
CLASSES = {"low": 300, "high": 1500}  # Hz
SMALL = {
    "modality": "audio",
    "data.source": "folder",
    "audio.rate": RATE,
    "audio.seconds": 0.32,
    "audio.window": 256,
    "audio.hop": 160,
    "audio.bands": 16,
    "audio.high": 0.0,
    "encoder.name": "sound_small",
    "encoder.widths": (4, 8, 8),
}


def write_sounds(folder, count, seed):
    rng = np.random.default_rng(seed)
    for number in range(count):
        label = list(CLASSES)[number % 2]
        time = np.arange(rng.integers(1000, 5000)) / RATE
        hertz = CLASSES[label] * rng.uniform(0.9, 1.1)
        tone = np.sin(2 * np.pi * hertz * time)
        tone += rng.normal(scale=0.1, size=len(time))
        (folder / label).mkdir(parents=True, exist_ok=True)
        data = wav(np.int16(8000 * tone), RATE)
        (folder / label / f"{number:03}.wav").write_bytes(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `data`, one file of them damaged, and a finished `run`."""
    folder = tmp_path_factory.mktemp("sounds")
    write_sounds(folder / "data" / "train", 64, seed=0)
    write_sounds(folder / "data" / "test", 24, seed=1)
    (folder / "data" / "train" / "low" / "010.wav").write_bytes(b"RIFF")
    config = tiny_config(folder / "data", **SMALL)
    pretrain_build.pretraining(config, folder / "run").run(folder / "run")
    save_config(config, folder / "run")
    return folder


@pytest.mark.parametrize("test_split", ["", "test"])
@pytest.mark.parametrize("window_seconds", [0.0, 0.1])
def test_windows_of_a_recording_on_both_sides_are_said(
    tmp_path, capsys, window_seconds, test_split
):
    for split in ("train", "test"):
        write_sounds(tmp_path / split, 4, seed=0)
    given = {
        "data.window_seconds": window_seconds,
        "data.test_split": test_split,
    }
    data_builders.data(tiny_config(tmp_path, **SMALL, **given), tmp_path)
    cut_and_held_out = window_seconds > 0 and test_split == ""
    assert ("are too high" in capsys.readouterr().out) == cut_and_held_out


@pytest.fixture(scope="module")
def vectors(folder):
    """Names of the test files, and the encoder's own vectors of each alone."""
    encoder = load_encoder(folder / "run")
    paths = sorted((folder / "data" / "test").rglob("*.wav"))
    rows = [encoder.decode(path)[None] for path in paths]
    alone = [encoder.model(encoder.preprocessor(row)) for row in rows]
    return paths, np.concatenate(alone)


def test_the_run_folder_explains_itself(folder):
    names = {path.name for path in (folder / "run").iterdir()}
    assert names >= {
        *("encoder.keras", "preprocessor.json", "samples.npz", "train.json"),
        *("report.html", "views.png", "metrics.jsonl"),
    }
    text = (folder / "run" / "bad_sounds.csv").read_text()
    assert "low/010.wav" in text


def test_frames_are_a_level_in_the_order_of_time(folder):
    encoder = load_encoder(folder / "run")
    assert encoder.levels == {"frames": 4}
    sounds = np.zeros((2, encoder.preprocessor.samples), np.int16)
    sounds[1, -400:] = 9000 * np.sin(np.arange(400))
    frames = encoder.outputs_of("frames")(encoder.preprocessor(sounds))
    silence, tone = frames["frames"].numpy()
    changes = np.abs(tone - silence).sum(axis=1)
    assert changes[0] == 0 < changes[-1] and (np.diff(changes) >= 0).all()


def test_it_is_evaluated_beside_averaged_frames(folder):
    config = eval_linear.get_config()
    config.sgd.epochs = 0
    job = evaluate_build.linear_evaluation(
        config, folder / "run", base.get_config()
    )
    job.run(folder / "run")
    text = (folder / "run" / "eval_linear.json").read_text()
    assert "averaged log-mel" in text and json.loads(text)


@pytest.fixture(scope="module")
def classifier(folder):
    config = finetune.get_config()
    config.update_from_flattened_dict(
        {
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
    return load_classifier(folder / "run", "classifier")


def test_it_is_fine_tuned_and_predicts_files(folder, classifier):
    predict_folder(classifier, folder / "data" / "test", folder / "p.csv")
    with open(folder / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24 and {row["status"] for row in rows} == {"ok"}
    right = [row["label"] == row["path"].split("/")[0] for row in rows]
    assert np.mean(right) >= 0.8


def test_files_are_embedded_searched_and_mapped(folder, vectors):
    config, source = embed.get_config(), folder / "data" / "test"
    config.map.images = 9
    embed_build.embed(config, folder / "run", source, folder / "e.parquet")
    search = embed_build.Search(config, folder / "e.parquet")
    ((_, found),) = search.embeddings.blocks()
    expected = vectors[1] / np.linalg.norm(vectors[1], axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    _, sheet = search.query([str(vectors[0][0])])
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
    assert search.map(folder / "map.html") == 9


def test_exports_give_the_vectors_of_each_file_alone(folder, vectors):
    config, target = export.get_config(), folder / "exported"
    names = ("saved_model", "onnx", "litert")
    export_build.export(
        config, folder / "run", target, base.get_config(), names
    )
    served = tf.saved_model.load(target / "1").signatures["serving_default"]
    files = tf.constant([path.read_bytes() for path in vectors[0]])
    outputs = served(bytes=files)
    np.testing.assert_allclose(
        outputs["representations"], vectors[1], rtol=1e-4, atol=1e-4
    )
    card = (target / "1" / "assets.extra" / "model_card.md").read_text()
    assert "turns every sound into" in card and "image" not in card.lower()


def test_long_files_are_rows_of_some_seconds_as_in_training(
    folder, classifier, tmp_path
):
    time = np.arange(RATE) / RATE
    tones = [8000 * np.sin(2 * np.pi * hertz * time) for hertz in (300, 1500)]
    sound = np.int16(np.concatenate([tones[0], 0 * time, tones[1]]))
    (tmp_path / "long.wav").write_bytes(wav(sound, RATE))
    (tmp_path / "a.wav").write_bytes(wav(sound[: RATE // 2], RATE))
    options = {"window_seconds": 1.0, "max_seconds": 2.0}
    heard = classifier.with_sizes(skip_silence=True, **options)
    predict_folder(heard, tmp_path, tmp_path / "p.csv")
    with open(tmp_path / "p.csv", newline="") as file:
        found = [list(row.values())[:5] for row in csv.DictReader(file)]
    assert found == [
        ["a.wav", "ok", "", "", "low"],
        ["long.wav", "ok", "0.0", "1.0", "low"],
        ["long.wav", "ok", "2.0", "3.0", "high"],
    ]
    encoder = load_encoder(folder / "run").with_sizes(**options)
    target = tmp_path / "e.parquet"
    embed_folder(
        encoder, tmp_path, target, {"workdir": "", "modality": "audio"}
    )
    table = Embeddings(target)
    names = [table.path_of(row) for row in range(len(table))]
    assert names == ["a.wav", *(f"long.wav@{i}-{i + 1}" for i in range(3))]
    part = encoder.preprocessor(sound[None, 2 * RATE :])
    expected = encoder.model(part).numpy()[0]
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(table.rows([3])[0], expected, atol=1e-4)


def test_pauses_are_taken_out_of_files_as_in_training(folder):
    encoder = load_encoder(folder / "run")
    sound = np.zeros(3 * RATE, np.int16)
    sound[-3000:] = 8000 * np.sin(np.arange(3000))
    kept = encoder.with_sizes(skip_silence=True).decode(wav(sound, RATE))
    np.testing.assert_array_equal(kept, sound[-len(kept) :])
    assert 3000 <= len(kept) < 5000
    assert len(encoder.decode(wav(sound, RATE))) == len(sound)


def test_a_classifier_hears_events_in_files_and_streams(folder, classifier):
    time = np.arange(RATE) / RATE
    parts = []
    for hertz in (300, 1500):
        parts += [np.zeros(RATE), 8000 * np.sin(2 * np.pi * hertz * time)]
    sound = np.int16(np.concatenate([*parts, np.zeros(RATE)]))
    (folder / "long.wav").write_bytes(wav(sound, RATE))
    place = finetune.get_config(), folder / "run"

    def long(events):
        """Without those of windows that hold the end of a tone."""
        return [e for e in events if e["end"] - e["start"] > 0.7]

    found = long(listen.events(*place, str(folder / "long.wav")))
    assert [event["label"] for event in found] == ["low", "high"]
    starts = [event["start"] for event in found]
    np.testing.assert_allclose(starts, [1, 3], atol=0.35)
    twice = np.repeat(sound, 2).tobytes()
    stream = long(listen.events(*place, io.BytesIO(twice), rate=2 * RATE))
    assert [event["label"] for event in stream] == ["low", "high"]
    with pytest.raises(ValueError, match="hop"):
        listen.events(*place, io.BytesIO(), hop=2.0)
    with pytest.raises(ValueError, match="window"):
        listen.events(*place, io.BytesIO(), window=2.0)
    (folder / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"bad\.wav: "):
        listen.events(*place, str(folder / "bad.wav"))
