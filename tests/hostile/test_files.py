"""Files made to run code when they are loaded: refused, and nothing is run.

Every payload would write a file named `ran`, which must not be there.
"""

import contextlib
import io
import json
import os
import pathlib
import pickle
import zipfile

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from byol_tf.data.label_table import read_label_table
from byol_tf.data.store import Store
from byol_tf.evaluation.feature_cache import FeatureCache
from byol_tf.files import sha256, write_json
from byol_tf.modalities.image.reading import load_images
from byol_tf.runs import config as run_config
from byol_tf.runs import encoder as encoders
from byol_tf.search.table import Embeddings, schema
from byol_tf.training.checkpoints import CheckpointStore
from configs import base
from tests.support.encoders import classifier


class Payload:
    """Pickles as a call that writes a file."""

    def __init__(self, marker):
        self.command = f"touch {marker}"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture
def marker(tmp_path):
    """The file that no payload may write, which is checked in the end."""
    path = tmp_path / "ran"
    yield path
    assert not path.exists(), "code of a loaded file was run"


def refused(function, told=""):
    """The message of the error, which is one clear line."""
    with pytest.raises(ValueError) as error:
        function()
    message = str(error.value)
    assert message and "\n" not in message
    assert told in message
    return message


def test_the_payload_would_write_the_file(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


# ---- Keras -----------------------------------------------------------------


def encoder_with(layer, path):
    inputs = keras.Input((4, 4, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    keras.Model(inputs, layer(pooled)).save(path)


def with_config(path, change):
    """A `.keras` file whose configuration is changed."""
    encoder_with(keras.layers.Dense(2), path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    config = json.loads(members["config.json"])
    members["config.json"] = json.dumps(change(config)).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def test_a_lambda_in_an_encoder(tmp_path, marker):
    def payload(x, path=str(marker)):
        open(path, "w").close()
        return x

    encoder_with(keras.layers.Lambda(payload), tmp_path / "encoder.keras")
    marker.unlink()  # of building it
    refused(lambda: encoders.load_encoder(tmp_path), "encoder.keras")


def functions(marker):
    command = f"touch {marker}"
    return {
        "a function of os": {
            "module": "os",
            "class_name": "function",
            "config": "system",
            "registered_name": "function",
        },
        "a class of subprocess": {
            "module": "subprocess",
            "class_name": "Popen",
            "config": {"args": ["touch", str(marker)]},
            "registered_name": None,
        },
        "a function of builtins": {
            "module": "builtins",
            "class_name": "exec",
            "config": {"source": f"import os; os.system({command!r})"},
            "registered_name": "exec",
        },
        "the switch of the safe mode": {
            "module": "keras.config",
            "class_name": "enable_unsafe_deserialization",
            "config": {},
            "registered_name": None,
        },
        "a marshalled lambda": {
            "class_name": "__lambda__",
            "config": {"value": "4wEAAAA=", "defaults": None, "closure": None},
        },
        "a download by Keras": {
            "module": "keras.utils",
            "class_name": "get_file",
            "config": {"fname": str(marker), "origin": f"file://{__file__}"},
            "registered_name": None,
        },
    }


@pytest.mark.parametrize("kind", functions("ran"))
def test_code_named_in_the_configuration_of_an_encoder(tmp_path, marker, kind):
    evil = functions(marker)[kind]
    path = tmp_path / "encoder.keras"

    def as_model(config):
        return evil

    def as_layer(config):
        config["config"]["layers"][-1] = {**evil, "name": "dense"}
        return config

    def as_activation(config):
        config["config"]["layers"][-1]["config"]["activation"] = evil
        return config

    for change in (as_model, as_layer, as_activation):
        with_config(path, change)
        refused(lambda: encoders.load_encoder(tmp_path), "encoder.keras")


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4", b"\x89HDF\r\n\x1a\n", b"<html>", None]
)
def test_other_content_as_an_encoder(tmp_path, marker, content):
    content = pickle.dumps(Payload(marker)) if content is None else content
    (tmp_path / "encoder.keras").write_bytes(content)
    refused(lambda: encoders.load_encoder(tmp_path), "encoder.keras")


def saved_classifier(folder, **changes):
    classifier().save(folder, "classifier")
    path = folder / "classifier.json"
    write_json(path, {**json.loads(path.read_text()), **changes})
    return lambda: encoders.load_classifier(folder, "classifier")


def test_a_task_of_a_classifier_is_not_imported(tmp_path, marker, monkeypatch):
    code = f"open({str(marker)!r}, 'w').close()"
    (tmp_path / "evil.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    load = saved_classifier(tmp_path, task="evil:Task")
    refused(load, "allow it by --task=evil:Task")


@pytest.mark.parametrize("kind", functions("ran"))
def test_code_named_as_the_preparation_of_a_classifier(tmp_path, marker, kind):
    evil = functions(marker)[kind]
    refused(saved_classifier(tmp_path, preparation=evil), "classifier.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "3", '{"task": []}'])
def test_odd_json_of_a_classifier(tmp_path, text):
    load = saved_classifier(tmp_path)
    (tmp_path / "classifier.json").write_text(text)
    refused(load, "classifier")


# ---- YAML ------------------------------------------------------------------


@pytest.mark.parametrize(
    "yaml",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "seed: !!python/object/apply:os.system ['touch {}']",
        "seed: !!python/object/new:os.system ['touch {}']",
        "data:\n  dir: !!python/name:os.system",
        "? !!python/object/apply:os.system ['touch {}']\n: 1",
    ],
)
def test_code_in_the_configuration_of_a_run(tmp_path, marker, yaml):
    (tmp_path / "config.yaml").write_text(yaml.format(marker))
    refused(
        lambda: run_config.config_of_run(None, tmp_path, base.get_config()),
        "config.yaml is not the configuration of a run",
    )


@pytest.mark.parametrize(
    "content",
    [
        *(b"\xff\xfe\0", b"\0", b"[1, 2]", b"3", b"? [1]\n: 2"),
        *(b"a: &a [*a]", b"data: &a {data: *a}", b"seed: 1e400"),
    ],
)
def test_odd_content_as_the_configuration_of_a_run(tmp_path, content):
    (tmp_path / "config.yaml").write_bytes(content)
    refused(
        lambda: run_config.config_of_run(None, tmp_path, base.get_config()),
        "config.yaml",
    )


# ---- NumPy -----------------------------------------------------------------


def evil_arrays(path, marker, *names):
    objects = np.array([Payload(marker)] * 4, object)
    with open(path, "wb") as file:
        np.savez(file, **{name: objects for name in names})


def test_pickled_objects_in_arrays(tmp_path, marker):
    path = tmp_path / "images.npz"
    evil_arrays(path, marker, "train_images", "train_labels")
    load = lambda: load_images("arrays", directory=str(path))  # noqa: E731
    refused(load, "images.npz: cannot read 'train_images'")
    for content in (pickle.dumps(Payload(marker)), b"PK\3\4", b""):
        path.write_bytes(content)
        refused(load, "images.npz is not an .npz file")


@pytest.mark.parametrize(
    "arrays,told",
    [
        ({"images": np.zeros((2, 3, 3), complex)}, "must be uint8"),
        ({"images": np.zeros((2, 3, 3), "M8[s]")}, "must be uint8"),
        ({"images": np.zeros((2, 3, 3), [("a", "u1")])}, "must be uint8"),
        ({"images": np.full((2, 3, 3), np.nan)}, "in [0, 1]"),
        ({"images": np.zeros((0, 3, 3), np.uint8)}, "[N, height, width]"),
        ({"labels": np.array([0, 2**40])}, "labels must be"),
        ({"labels": np.array([0, 10**9])}, "labels must be"),
        ({"labels": np.array([0, 2**63], np.uint64)}, "labels must be"),
        ({"class_names": np.array("cat")}, "class_names"),
        ({"class_names": np.array(["cat"])}, "class_names"),
    ],
)
def test_odd_arrays(tmp_path, arrays, told):
    whole = {
        "images": np.zeros((2, 3, 3), np.uint8),
        "labels": np.array([0, 1]),
        "class_names": np.array(["cat", "dog"]),
    }
    path = tmp_path / "images.npz"
    np.savez(path, **{**whole, **arrays})
    refused(lambda: load_images("arrays", directory=str(path)), told)


def test_pickled_objects_in_the_caches(tmp_path, marker):
    cache = FeatureCache(tmp_path)
    evil_arrays(cache.path({"a": 1}), marker, "features")
    fresh = np.ones((4, 2), np.float32)
    found = cache.get({"a": 1}, 4, lambda: fresh)
    np.testing.assert_array_equal(found, fresh)

    store = Store("disk", cache_dir=tmp_path / "store")

    def write(array):
        array[:] = 7
        return np.zeros(len(array), np.int32), []

    def fill():
        return store.fill(4, (2, 2, 1), write, name="x", key=0)

    fill()
    for suffix in (".npy", ".npz"):
        (path,) = (tmp_path / "store").glob(f"*{suffix}")
        if suffix == ".npz":
            evil_arrays(path, marker, "labels", "skipped")
        else:
            np.save(path, np.array([Payload(marker)] * 4, object))
        pixels, labels, _ = fill()
        assert (pixels == 7).all() and len(labels) == 4


# ---- checkpoints -------------------------------------------------------------


class Tiny(keras.Model):
    """A model with one weight and a step."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.step = self.add_weight(
            shape=(), dtype="int64", trainable=False, name="step"
        )
        self.build((None, 2))

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return self.dense(x)


def test_pickles_as_checkpoints(tmp_path, marker):
    model = Tiny()
    model.compile("sgd")
    store = CheckpointStore(tmp_path, model)
    folder = store.save()
    sums = {}
    for file in folder.glob("state*"):
        file.write_bytes(pickle.dumps(Payload(marker)))
        sums[file.name] = sha256(file)
    manifest = {"step": 0, "score": None, "sha256": sums}
    write_json(folder / "checkpoint.json", manifest)
    before = model.dense.kernel.numpy()
    # With checksums that fit, TensorFlow sees that it is no checkpoint.
    refused(store.restore_latest, "is not a checkpoint of this model")
    np.testing.assert_array_equal(model.dense.kernel.numpy(), before)


# ---- tables ------------------------------------------------------------------


def parquet(path, metadata, features=b"2", columns=None):
    table = {
        "path": ["a.png"],
        "representation": pa.array([[0.0, 1.0]], pa.list_(pa.float32())),
        "status": ["ok"],
        "size": [1],
        "modified": [1],
    }
    table = pa.table({**table, **(columns or {})})
    # As embed.py declares them.
    fields = [
        field.with_nullable(field.name == "representation")
        for field in table.schema
    ]
    table = table.cast(pa.schema(fields))
    metadata = {b"byol_tf_features": features, **metadata}
    pq.write_table(table.replace_schema_metadata(metadata), path)


def test_the_odd_files_differ_from_a_good_one_in_what_is_odd(tmp_path):
    path = tmp_path / "embeddings.parquet"
    parquet(path, {b"byol_tf": b'{"origin": {}}'})
    assert len(Embeddings(path)) == 1


@pytest.mark.parametrize("features", [b"", b"-1", b"many", b"3"])
def test_odd_lengths_of_embeddings(tmp_path, features):
    path = tmp_path / "embeddings.parquet"
    parquet(path, {b"byol_tf": b'{"origin": {}}'}, features)
    refused(lambda: list(Embeddings(path).blocks()), "embeddings.parquet")


@pytest.mark.parametrize(
    "metadata,columns",
    [
        ({b"byol_tf": b"{"}, {}),
        ({b"byol_tf": b"[]"}, {}),
        ({b"byol_tf": b'{"origin": 3}'}, {}),
        ({b"byol_tf": b"\x80\x04\xff"}, {}),
        ({b"other": b"{}"}, {}),
        ({b"byol_tf": b'{"origin": {}}'}, {"representation": [[0, 1]]}),
        ({b"byol_tf": b'{"origin": {}}'}, {"representation": ["text"]}),
        ({b"byol_tf": b'{"origin": {}}'}, {"path": [3]}),
    ],
)
def test_odd_embeddings(tmp_path, metadata, columns):
    path = tmp_path / "embeddings.parquet"
    parquet(path, metadata, columns=columns)
    refused(lambda: Embeddings(path), "embeddings.parquet")


def test_a_pickle_as_embeddings_or_in_their_metadata(tmp_path, marker):
    path = tmp_path / "embeddings.parquet"
    evil = pickle.dumps(Payload(marker))
    path.write_bytes(evil)
    refused(lambda: Embeddings(path), "embeddings.parquet")
    columns = schema(2, {"origin": {}})
    kind = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": evil,
    }
    fields = [columns.field(0).with_metadata(kind), *list(columns)[1:]]
    extended = pa.schema(fields, metadata=columns.metadata)
    vectors = pa.array([[0.0, 1.0]], pa.list_(pa.float32()))
    values = [["a.png"], vectors, ["ok"], [1], [1]]
    pq.write_table(pa.table(values, schema=extended), path)
    # Whether or not it takes the column for text, it runs nothing.
    with contextlib.suppress(ValueError):
        Embeddings(path)


@pytest.mark.parametrize(
    "content,told",
    [
        (b"", "is empty"),
        (b"path,a\n\xff\xfe,1\n", "not UTF-8"),
        (b"path,a\nx.png,1,2\n", "line 2"),
        (b'path,a\n"x.png,1\n', "line 2"),
        (b"path,a\n" + b"x" * 200_000 + b",1\n", "line 2"),
        (b"path,path\nx.png,1\n", "heading"),
        (b"path,a\nx.png,1\nx.png,2\n", "already in line 2"),
        (None, ""),
    ],
)
def test_odd_label_tables(tmp_path, marker, content, told):
    path = tmp_path / "labels.csv"
    content = pickle.dumps(Payload(marker)) if content is None else content
    path.write_bytes(content)
    assert "labels.csv" in refused(lambda: read_label_table(path), told)


def test_a_formula_in_a_label_table_stays_text(tmp_path):
    path = pathlib.Path(tmp_path / "labels.csv")
    path.write_text("path,a\nx.png,=cmd|' /C calc'!A0\n")
    assert read_label_table(path).columns["a"] == ("=cmd|' /C calc'!A0",)


def test_images_as_pickles(tmp_path, marker):
    evil = io.BytesIO()
    pickle.dump(Payload(marker), evil)
    (tmp_path / "a.png").write_bytes(evil.getvalue())
    refused(
        lambda: load_images("folder", directory=str(tmp_path), image_size=8),
        "not an image",
    )
