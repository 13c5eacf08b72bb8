"""What is said in sounds is learned, judged, predicted, by the usual jobs.

Letters are tones of four heights, with pauses; the encoder is not trained.
"""

import csv
import json

import grpc
import httpx
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from byol_tf.data.rows import Ragged
from byol_tf.export import to_litert, to_onnx
from byol_tf.jobs.export import build as export_build
from byol_tf.jobs.finetune import build as finetune_build
from byol_tf.jobs.finetune import results
from byol_tf.modalities.audio.encoder import make_encoder
from byol_tf.modalities.audio.inputs import wav
from byol_tf.modalities.audio.logmel import LogMel
from byol_tf.runs.encoder import load_classifier, save_encoder
from byol_tf.runs.predictor import predict_folder
from byol_tf.runs.samples import Samples, save_samples
from byol_tf.tasks.transcription import Transcription
from configs import base, export, transcripts
from tests.support.serve_model import Server, b64

RATE = 8000
TONES = {"a": 350, "b": 700, "c": 1300, "d": 2400}  # Hz


def say(text, rng):
    """int16 samples: 90 ms a letter, pauses between, noise."""
    time = np.arange(int(0.09 * RATE)) / RATE
    parts = [np.zeros(rng.integers(200, 500))]
    for letter in text:
        hertz = TONES.get(letter, 0) * rng.uniform(0.95, 1.05)
        parts += [np.sin(2 * np.pi * hertz * time) * np.hanning(len(time))]
        parts += [np.zeros(rng.integers(200, 500))]
    sound = np.concatenate(parts)
    sound += rng.normal(scale=0.01, size=len(sound))
    return np.int16(8000 * sound)


def write_sounds(folder, count, test, seed=0):
    rng = np.random.default_rng(seed)
    lines = [["path", "text", "split"]]
    for number in range(count):
        text = "".join(rng.choice(list("abcd "), rng.integers(1, 5)))
        text = " ".join(text.split()) or "a"
        name = f"{number:03}.wav"
        (folder / name).write_bytes(wav(say(text, rng), RATE))
        lines.append([name, text, "test" if number < test else "train"])
    lines[-1][1] = "abcd" * 40  # more letters than its frames can say
    with open(folder / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `data`, and a `run` whose encoder learned nothing."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "data").mkdir()
    write_sounds(folder / "data", 140, test=30)
    keras.utils.set_random_seed(0)
    options = {"rate": RATE, "window": 256, "hop": 80, "bands": 24}
    layer = LogMel(**options, high=0.0, frames=32, mean=-8.0, deviation=4.0)
    save_encoder(
        make_encoder("sound_small", 32, 24, (4, 8, 8)),
        folder / "run",
        modality="audio",
        spec={"sound": tf.TensorSpec([None], tf.int16)},
        preprocessor=layer,
        sizes={
            **{"max_seconds": 20.0, "channel": 0},
            **{"rate": RATE, "samples": layer.samples},
        },
        **{"title": "tones", "method": "none", "data": "tones"},
        config=base.get_config().to_dict(),
        **{"data_fingerprint": "", "crops": {}},
    )
    rng = np.random.default_rng(5)
    rows = Ragged.of([say("ab", rng), say("dcab", rng), say("c", rng)])
    save_samples(Samples(rows, np.full(3, -1)), folder / "run")
    return folder


@pytest.fixture(scope="module")
def learned(folder):
    config = transcripts.get_config()
    config.update_from_flattened_dict(
        {
            **{"data.source": "folder", "data.dir": str(folder / "data")},
            **{"modality": "audio", "variants": ("fine-tuned",)},
            **{"min_steps": 100, "max_steps": 100, "learning_rates": (0.1,)},
        }
    )
    defaults = base.get_config()
    defaults.audio.rate = RATE
    job = finetune_build.fine_tuning(
        config,
        folder / "run",
        defaults,
        task="transcription",
        labels=["all"],
    )
    return job.run(folder / "run")


def test_it_learns_and_says_what_was_left_out(learned, folder, capsys):
    written = json.loads((folder / "run" / "finetune.json").read_text())
    (row,) = written["fractions"].values()
    tested = row["variants"]["fine-tuned"]
    assert row["labels"] == 109  # one of 110 is too short for its text
    assert tested["cer"] < 0.2
    assert tested["runs"][0]["test"]["cer"] == tested["cer"]
    assert tested["wer"] >= 0 and tested["test"]["mean"] == 1 - tested["cer"]
    text = results.table(written)
    assert "CER" in text and "WER" in text
    for line in written["worst"]:
        assert line["path"].endswith(".wav") and line["character_errors"]


def test_it_predicts_as_it_was_judged(learned, folder):
    classifier = load_classifier(folder / "run", "classifier")
    assert classifier.sizes["max_seconds"] == 20 and not classifier.features
    predict_folder(classifier, folder / "data", folder / "p.csv", batch_size=7)
    with open(folder / "p.csv", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert len(rows) == 140
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows.values())
    for line in learned["worst"]:
        assert rows[line["path"]]["text"] == line["hypothesis"]


@pytest.fixture(scope="module")
def exported(learned, folder):
    """The folder of the exports of a recogniser with a beam, and its JSON."""
    path = folder / "run" / "classifier.json"
    about = json.loads(path.read_text())
    about["options"] = {"beam": 4}  # which other runtimes lack
    path.write_text(json.dumps(about))
    config = export.get_config()
    config.verify.repeats = 1
    config.litert.precisions = "float32"
    target, names = folder / "exported", ("saved_model", "onnx", "litert")
    return target, export_build.export(
        config, folder / "run", target, base.get_config(), names
    )


def read_files(folder, count):
    paths = sorted((folder / "data").glob("*.wav"))[:count]
    return [path.name for path in paths], [path.read_bytes() for path in paths]


def test_an_export_takes_wav_files_and_gives_their_texts(exported, folder):
    served = tf.saved_model.load(exported[0] / "1").signatures["transcribe"]
    paths, files = read_files(folder, 9)
    sound = say("cab", np.random.default_rng(1))
    other = np.interp(np.arange(0, len(sound), 0.5), range(len(sound)), sound)
    files += [b"RIFF", wav(np.int16(other), 2 * RATE), wav(sound, RATE)]
    outputs = served(bytes=tf.constant(files))
    texts = [text.decode() for text in outputs["text"].numpy()]
    predict_folder(
        load_classifier(folder / "run", "classifier"),
        folder / "data",
        folder / "q.csv",
    )
    with open(folder / "q.csv", newline="") as file:
        rows = {row["path"]: row["text"] for row in csv.DictReader(file)}
    assert texts[:9] == [rows[path] for path in paths]
    assert outputs["status"].numpy()[9] == b"not a WAV file"
    assert texts[9] == "" and np.isnan(outputs["confidence"][9])
    assert texts[10] == texts[11]  # at another rate


def test_onnx_and_litert_give_the_letters_of_each_frame(exported, folder):
    target, written = exported
    files = {"onnx": "classifier.onnx", "litert": "classifier_float32.tflite"}
    for name, file in files.items():
        outputs = written[name]["signatures"][file]["outputs"]
        assert outputs["frames"] == "int32 [n, n]"
    classifier = load_classifier(folder / "run", "classifier")
    path = target / "litert" / "1" / files["litert"]
    form = to_litert.load(path, classifier, "float32", 1)
    task = Transcription(classifier.classes)
    rng = np.random.default_rng(3)
    rows = [say(text, rng) for text in ("abcd", "a", "dc ba")]
    found = task.texts(form.predict(rows))
    alone = [task.texts(form.predict([row]))[0] for row in rows]
    batch = classifier.preprocessor(classifier.batch(rows))
    decoded = task.decode(classifier.model(batch))
    assert found == alone == task.texts(decoded) and any(found)


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_sounds_that_are_not_finite_have_no_text(exported, folder, form):
    path = exported[0] / form / "1"
    classifier = load_classifier(folder / "run", "classifier")
    if form == "onnx":
        model = to_onnx.load(path / "classifier.onnx", classifier, 1)
    else:
        file = path / "classifier_float32.tflite"
        model = to_litert.load(file, classifier, "float32", 1)
    sound = say("abcd", np.random.default_rng(3))
    inside, at_end = np.float32(sound), np.float32(sound)
    inside[len(sound) // 2], at_end[-1] = np.nan, np.inf
    silent = np.full(len(sound), np.nan, np.float32)
    outputs = model.predict([sound, inside, at_end, silent])
    whole, *others = Transcription(classifier.classes).texts(outputs)
    assert whole and others == [""] * 3
    confidence = outputs["confidence"]
    assert np.isfinite(confidence[0]) and np.isnan(confidence[1:]).all()


def test_a_server_gives_the_texts_by_rest_and_by_grpc(exported, folder):
    model = tf.saved_model.load(exported[0] / "1")
    _, files = read_files(folder, 2)
    files.append(b"no sound")
    wanted = model.signatures["transcribe"](bytes=tf.constant(files))
    texts = [text.decode() for text in wanted["text"].numpy()]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "exported"
    request.model_spec.signature_name = "transcribe"
    request.inputs["bytes"].CopyFrom(tf.make_tensor_proto(files))
    with Server(exported[0]) as server:
        body = {"signature_name": "transcribe", "instances": [*map(b64, files)]}
        answer = httpx.post(f"{server.url}:predict", json=body, timeout=60)
        with grpc.insecure_channel(server.address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            outputs = stub.Predict(request, timeout=60).outputs
    rows = answer.json()["predictions"]
    assert [row["text"] for row in rows] == texts and texts[2] == ""
    status = ["ok", "ok", "not a WAV file"]
    assert [row["status"] for row in rows] == status
    assert rows[2]["confidence"] is None and 0 < rows[0]["confidence"] <= 1
    for name, value in (("text", texts), ("status", status)):
        found = tf.make_ndarray(outputs[name])
        assert [entry.decode() for entry in found] == value
