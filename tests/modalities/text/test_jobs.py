"""Texts pass through the jobs of the commands, as images do.

Two intents in made sentences; see `test_toy_jobs.py`.
"""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf import load_encoder
from byol_tf.jobs.embed import build as embed_build
from byol_tf.jobs.evaluate import build as evaluate_build
from byol_tf.jobs.export import build as export_build
from byol_tf.jobs.finetune import build as finetune_build
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.config import save_config
from byol_tf.runs.encoder import load_classifier
from byol_tf.runs.predictor import predict_folder
from byol_tf.serving.model import Version
from configs import base, embed, eval_linear, export, finetune
from tests.support.runs import tiny_config

INTENTS = {
    "card": ["card", "bank", "pin", "cash", "lost", "stolen"],
    "travel": ["train", "ticket", "seat", "station", "late", "platform"],
}
COMMON = ["please", "my", "the", "today", "help", "with", "about", "where"]
SMALL = {
    "modality": "text",
    "data.source": "folder",
    "encoder.name": "bag",
    "encoder.weights": "lsa",
    "encoder.widths": (16,),
}


def sentences(count, seed):
    rng = np.random.default_rng(seed)
    for number in range(count):
        label = list(INTENTS)[number % 2]
        words = [*rng.choice(INTENTS[label], 3), *rng.choice(COMMON, 4)]
        yield " ".join(rng.permutation(words)), label


def write_table(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `data`, one row of them damaged, and a finished `run`."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "data").mkdir()
    train = list(sentences(64, seed=0))
    write_table(folder / "data" / "train.csv", [*train, ("", "card")])
    with open(folder / "data" / "train.csv", "ab") as file:
        file.write(b"caf\xe9 closed,travel\r\n")
    write_table(folder / "data" / "test.csv", sentences(24, seed=1))
    config = tiny_config(folder / "data", **SMALL)
    pretrain_build.pretraining(config, folder / "run").run(folder / "run")
    save_config(config, folder / "run")
    return folder


@pytest.fixture(scope="module")
def vectors(folder):
    """The test texts, and the encoder's own vectors of each alone."""
    encoder = load_encoder(folder / "run")
    texts = [text for text, _ in sentences(24, seed=1)]
    rows = [encoder.decode(text)[None] for text in texts]
    alone = [encoder.model(encoder.preprocessor(row)) for row in rows]
    return texts, np.concatenate(alone)


def test_a_number_in_an_address_does_not_unmask_it():
    masks = {"data.mask": ("numbers,phones", "emails")}  # as flags give them
    decoder = load_modality("text").decoder(tiny_config("", **SMALL, **masks))
    found = decoder.decode(b"to ann1234567@bank.com by 9").item().decode()
    assert found.split() == ["to", "maskedemail", "by", "maskednumber"]


def test_the_names_of_masks_pass_the_check_of_numbers():
    masks = {"data.mask": ("emails,phones",)}
    pretrain_build.check(tiny_config("", **SMALL, **masks))


def test_the_run_folder_explains_itself(folder):
    names = {path.name for path in (folder / "run").iterdir()}
    assert names >= {
        *("encoder.keras", "preprocessor.json", "samples.npz", "train.json"),
        *("report.html", "views.png", "metrics.jsonl"),
    }
    text = (folder / "run" / "bad_texts.csv").read_text()
    assert "train.csv:67" in text and "not UTF-8: byte 0xe9 at 3" in text
    assert "train.csv:66,an empty cell" in text


def test_a_method_for_feature_maps_is_refused(folder, tmp_path):
    own = {**SMALL, "objective.name": "dense_byol"}
    with pytest.raises(ValueError, match="this encoder has none"):
        pretrain_build.pretraining(
            tiny_config(folder / "data", **own), tmp_path
        )


def test_it_is_evaluated_beside_tf_idf(folder):
    config = eval_linear.get_config()
    config.sgd.epochs = 0
    job = evaluate_build.linear_evaluation(
        config, folder / "run", base.get_config()
    )
    job.run(folder / "run")
    text = (folder / "run" / "eval_linear.json").read_text()
    assert json.loads(text)["settings"]["unit"]
    for name in ("TF-IDF", "random encoder", "as it came (lsa)"):
        assert name in text


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


def test_it_is_fine_tuned_and_predicts_a_table(folder, classifier):
    source = folder / "data" / "test.csv"
    predict_folder(classifier, source, folder / "p.csv")
    with open(folder / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows[:2]] == ["test.csv:2", "test.csv:3"]
    assert len(rows) == 24 and {row["status"] for row in rows} == {"ok"}
    pairs = zip(rows, sentences(24, seed=1), strict=True)
    assert np.mean([row["label"] == label for row, (_, label) in pairs]) >= 0.8


def test_another_column_is_predicted_and_embedded_if_it_is_named(
    folder, classifier, tmp_path
):
    source = tmp_path / "asked.csv"
    texts = [text for text, _ in sentences(4, seed=1)]
    source.write_text("question\n" + "".join(f"{text}\n" for text in texts))
    config, tuned = embed.get_config(), finetune.get_config()
    with pytest.raises(ValueError, match="has no column"):
        embed_build.embed(
            config, folder / "run", source, tmp_path / "e.parquet"
        )
    config.data.text_column = tuned.data.text_column = "question"
    done = embed_build.embed(
        config, folder / "run", source, tmp_path / "e.parquet"
    )
    assert done.images == 4
    out = tmp_path / "p.csv"
    done = finetune_build.predict(tuned, folder / "run", source, out=out)
    assert done.images == 4 and not done.unread


def test_texts_are_embedded_searched_and_mapped(folder, vectors):
    config, source = embed.get_config(), folder / "data" / "test.csv"
    config.map.images = 9
    embed_build.embed(config, folder / "run", source, folder / "e.parquet")
    search = embed_build.Search(config, folder / "e.parquet")
    ((_, found),) = search.embeddings.blocks()
    expected = vectors[1] / np.linalg.norm(vectors[1], axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    ((query, near),), sheet = search.query([vectors[0][0]])
    assert query == vectors[0][0]
    assert near[0][0] == f"test.csv:2 {vectors[0][0]}" and near[0][1] > 0.999
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
    assert search.map(folder / "map.html") == 9
    assert search.duplicates()[1] == 0


def test_files_of_texts_are_searched_by_a_text(folder, tmp_path):
    for number, (text, _) in enumerate(sentences(4, seed=2)):
        (tmp_path / f"{number}.txt").write_text(text)
    config, target = embed.get_config(), tmp_path / "e.parquet"
    embed_build.embed(config, folder / "run", tmp_path, target)
    ((_, near),), _ = embed_build.Search(config, target).query(["lost card"])
    assert len(near) == 4


def test_exports_give_the_vectors_of_each_text_alone(folder, vectors):
    config, target = export.get_config(), folder / "exported"
    names = ("saved_model", "onnx", "litert")
    export_build.export(
        config, folder / "run", target, base.get_config(), names
    )
    version = Version(1, target / "1")
    version.warm_up()
    texts = np.array([*(t.encode() for t in vectors[0]), b" "], object)
    outputs = version.signature("")({"texts": texts})
    np.testing.assert_allclose(
        outputs["representations"][:-1], vectors[1], rtol=1e-4, atol=1e-4
    )
    assert outputs["status"][-1] == b"an empty text"
    assert np.isnan(outputs["representations"][-1]).all()
    card = (target / "1" / "assets.extra" / "model_card.md").read_text()
    assert "turns every text into" in card and "image" not in card.lower()


def test_strings_pass_through_a_loaded_model(folder):
    with tf.device("CPU"):
        encoder = load_encoder(folder / "run")
        batch = tf.constant(["my card is lost", "the train is late"])
        vectors = encoder.model(encoder.preprocessor(batch)).numpy()
    assert vectors.shape == (2, 16)
