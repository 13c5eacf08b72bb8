"""Encoders as ONNX and LiteRT files: what they give, refuse and leave."""

import json
import subprocess
import sys

import keras
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from byol_tf.export import formats, freeze, verify, verify_table
from byol_tf.files import sha256
from byol_tf.jobs.export import build as export_builders
from byol_tf.modalities.image.card import python_example
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.decode import decode_square
from byol_tf.runs import encoder as encoders
from configs import base
from tests.support.encoders import image_encoder
from tests.support.exporting import options, picture
from tests.support.finetuning import build
from tests.support.runs import make_run

SHAPES = ((1, 12, 12, 3), (4, 12, 12, 3), (3, 31, 20, 3))


def run_export(workdir, target, names, **overrides):
    # Of 20 images one is 5 %.
    many = {"verify.max_knn_loss": 0.2, **overrides}
    return export_builders.export(
        options(**many), workdir, target, base.get_config(), names
    )


def floats(shape):
    rng = np.random.default_rng(shape[0])
    return rng.integers(0, 256, shape).astype(np.float32) / np.float32(255)


def wanted(workdir, images):
    """What the run's encoder gives, computed in float32."""
    encoder = freeze.in_float32(encoders.load_encoder(workdir).model)
    return np.asarray(encoder(CentreView(12)(images)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run in bfloat16 with a classifier, in both formats."""
    folder = tmp_path_factory.mktemp("formats")
    workdir = make_run(folder, precision="mixed_bfloat16")
    build(workdir, variants=("frozen",), head_learning_rates=(1.0,)).run(
        workdir
    )
    results = run_export(workdir, folder / "to", ["onnx", "litert"])
    return workdir, folder / "to", results


@pytest.mark.parametrize("shape", SHAPES)
def test_onnx_gives_the_same_for_any_batch_and_size(exported, shape):
    workdir, target, _ = exported
    session = onnxruntime.InferenceSession(target / "onnx/1/model.onnx")
    assert session.get_inputs()[0].shape == ["n", "height", "width", 3]
    images = floats(shape)
    (got,) = session.run(["representations"], {"images": images})
    np.testing.assert_allclose(got, wanted(workdir, images), atol=1e-4)
    assert got.dtype == np.float32


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "precision,tolerance", [("float32", 1e-5), ("float16", 1e-3), ("int8", 0.1)]
)
def test_litert_gives_the_same_for_any_batch_and_size(
    exported, shape, precision, tolerance
):
    workdir, target, _ = exported
    path = target / f"litert/1/model_{precision}.tflite"
    images = floats(shape)
    call = Interpreter(str(path)).get_signature_runner()
    got = call(images=images)["representations"]
    expected = wanted(workdir, images)
    difference = verify.compare(expected, got)["largest_difference"]
    assert difference < tolerance
    # An int8 file computes in 8 bits, and does not only store them.
    assert (difference > 1e-3) == (precision == "int8")


def run_file(path, images):
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path)
        return session.run(["representations"], {"images": images})[0]
    call = Interpreter(str(path)).get_signature_runner()
    return call(images=images)["representations"]


@pytest.mark.parametrize(
    "file",
    [
        "onnx/1/model.onnx",
        "litert/1/model_float32.tflite",
        "litert/1/model_float16.tflite",
        "litert/1/model_int8.tflite",
    ],
)
@pytest.mark.parametrize("size", [12, 20])
def test_values_out_of_range_give_nan_and_leave_the_others_alone(
    exported, file, size
):
    images = floats((4, size, size, 3))
    good = run_file(exported[1] / file, images)
    assert np.isfinite(good).all()
    images[1] *= 255
    images[2, 0, 0, 0] = np.nan
    images[3] = images[3] * 2 - 1
    got = run_file(exported[1] / file, images)
    np.testing.assert_array_equal(got[0], good[0])
    assert np.isnan(got[1:]).all()


def test_int8_keeps_the_direction_of_real_images(exported):
    forms = exported[2]["litert"]["verification"]["forms"]
    row = forms["litert int8"]["by_signature"]["images"]
    assert row["smallest_cosine"] > 0.995


def test_bfloat16_is_computed_in_float32_elsewhere(exported):
    encoder = encoders.load_encoder(exported[0]).model
    plain = freeze.in_float32(encoder)
    policies = {layer.compute_dtype for layer in encoder.layers}
    assert "bfloat16" in policies
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}
    images = floats((4, 12, 12, 3))
    np.testing.assert_allclose(plain(images), encoder(images), atol=0.05)
    assert freeze.in_float32(plain) is plain


def test_the_classifier_tells_probabilities_and_the_file_its_classes(exported):
    workdir, target, results = exported
    session = onnxruntime.InferenceSession(target / "onnx/1/classifier.onnx")
    images = floats((5, 12, 12, 3))
    (got,) = session.run(["probabilities"], {"images": images})
    kept = encoders.load_classifier(workdir, "classifier")
    plain = freeze.in_float32(kept.model)
    expected = plain(kept.preprocessor(images))["probabilities"]
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-5)
    texts = session.get_modelmeta().custom_metadata_map
    assert json.loads(texts["classes"]) == list(kept.task.columns)
    assert results["onnx"]["classes"] == list(kept.task.columns)
    assert texts["encoder_sha256"] == sha256(workdir / "encoder.keras")


def test_servers_of_saved_models_find_no_version_of_another_format(exported):
    _, target, _ = exported
    assert sorted(path.name for path in target.iterdir()) == ["litert", "onnx"]
    assert [path.name for path in (target / "onnx").iterdir()] == ["1"]


def test_the_run_folder_keeps_what_every_format_says(exported):
    workdir, target, results = exported
    kept = json.loads((workdir / "export.json").read_text())
    assert kept == json.loads(json.dumps(results))
    for name in ("onnx", "litert"):
        folder = target / name / "1"
        assert json.loads((folder / "export.json").read_text()) == kept[name]
        assert set(results[name]["signatures"]) <= {
            path.name for path in folder.iterdir()
        }


def test_the_table_has_a_row_for_each_file(exported):
    lines = verify_table.table(
        [about["verification"] for about in exported[2].values()]
    ).splitlines()
    names = [" ".join(line[:22].split()) for line in lines]
    assert names == [
        "",
        "Keras",
        "onnx",
        "onnx classifier",
        "litert float32",
        "litert float16",
        "litert int8",
    ]


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_the_card_shows_how_to_call_it_without_tensorflow(exported, name):
    workdir, target, results = exported
    folder = target / name / "1"
    example = python_example(results[name])
    assert example in (folder / "model_card.md").read_text()
    picture(31, 40).save(folder / "a.png")
    pixels = decode_square((folder / "a.png").read_bytes(), 12, 3)
    code = example.replace("a.jpg", "a.png") + (
        "\nimport sys\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(representations.tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    got = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(got, wanted(workdir, pixels[None]), atol=0.02)


@pytest.mark.parametrize(
    "overrides,told",
    [
        ({"verify.float16.min_cosine": 1.1}, "litert float16 differs"),
        (
            {"verify.max_knn_loss": -1.0},
            "litert float16 .*kNN accuracy.*=float32",
        ),
    ],
)
def test_a_precision_beyond_its_tolerance_is_removed_by_name(
    exported, tmp_path, overrides, told
):
    with pytest.raises(ValueError, match=told):
        run_export(
            exported[0],
            tmp_path / "to",
            ["litert"],
            **{"litert.precisions": "float16", **overrides},
        )
    assert not list((tmp_path / "to" / "litert").iterdir())


@pytest.mark.parametrize(
    "names,told",
    [
        (["tflite"], "--format must be some of saved_model,onnx,litert,keras"),
        (["onnx", "onnx"], "each format once"),
        ([], "each format once"),
    ],
)
def test_unknown_formats_are_refused(names, told):
    with pytest.raises(ValueError, match=told):
        formats.check_formats(names)


def test_a_missing_library_is_named_before_anything_else(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ValueError, match=r"byol-tf\[onnx\]"):
        formats.check_formats(["onnx"])


def test_unknown_precisions_are_refused(exported, tmp_path):
    with pytest.raises(ValueError, match=r"litert\.precisions"):
        run_export(
            exported[0],
            tmp_path / "to",
            ["litert"],
            **{"litert.precisions": "int4"},
        )


@keras.saving.register_keras_serializable("byol_tf_tests")
class Eigenvalues(keras.layers.Layer):
    """Something that no other format has."""

    def call(self, inputs):
        grey = keras.ops.mean(inputs, -1)
        return keras.ops.eigh(grey + keras.ops.swapaxes(grey, 1, 2))[0]


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_what_cannot_be_converted_ends_in_one_line(tmp_path, name):
    inputs = keras.Input((12, 12, 3))
    odd = keras.Model(inputs, Eigenvalues()(inputs))
    plan = formats.Plan(
        encoder=image_encoder(odd, 12),
        classifier=None,
        decode=None,
        precisions=("float32",),
        samples=np.zeros((1, 12, 12, 3), np.uint8),
        threads=1,
        metadata={},
    )
    with pytest.raises(ValueError, match="cannot be") as raised:
        formats.WRITERS[name](plan, tmp_path)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 400
