"""A detector in predictions of a folder and in exports."""

import contextlib
import csv
import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.data.examples import Examples
from byol_tf.export import verify_table
from byol_tf.jobs.export import build as export_builders
from byol_tf.jobs.finetune import build as finetune_builders
from byol_tf.runs.encoder import load_classifier, load_encoder
from byol_tf.runs.samples import MOST_TEST_ROWS, load_test_rows, save_test_rows
from byol_tf.tasks.detection import Detection
from byol_tf.tasks.keypoints import Keypoints
from configs import base, finetune
from tests.support.exporting import options
from tests.support.runs import make_run
from tests.support.scenes import make_scenes

SIDE = 48
TASK = Detection(("disc", "square"), ids=(3, 7), confidence=0.5)
POINTS = Keypoints(
    ("a_x", "a_y", "b_x", "b_y"), whole=True, head="heatmap", pck_alpha=0.7
)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run with a detector that finds much, and nothing of meaning."""
    run = make_run(
        tmp_path_factory.mktemp("detector"),
        size=24,
        **{
            "encoder.blocks": (1, 1, 1),
            "encoder.widths": (8, 8, 8),
            "encoder.stem": "strided",
        },
    )
    save_untrained(run, TASK, "classifier")
    save_untrained(run, POINTS, "points")
    keep_tested(run)
    return run


def save_untrained(run, task, name):
    encoder = load_encoder(run).whole(SIDE)
    keras.utils.set_random_seed(3)
    maps = encoder.outputs_of(*task.consumes(encoder.levels))
    specs = {n: tf.TensorSpec(v.shape) for n, v in maps.output.items()}
    head = task.head(specs)
    rng = np.random.default_rng(0)
    head.set_weights([rng.normal(0, 0.3, w.shape) for w in head.weights])
    model = keras.Model(maps.input, head(maps.output))
    encoder.of_rows((SIDE, SIDE, 3), model, task).save(run, name)


def keep_tested(run):
    """What fine-tuning keeps, with what is found as the truth of a half."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    detector = load_classifier(run, "classifier")
    found = TASK.decode(detector.model(detector.preprocessor(pixels)))
    boxes = found["boxes"].numpy()[:, :8]
    boxes[2:] = boxes[2:] / 2
    targets = {
        "boxes": boxes,
        "classes": found["classes"].numpy()[:, :8],
        "crowd": np.zeros((4, 8), np.int32),
        "areas": np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) * SIDE**2,
        "side": np.full(4, SIDE, np.float32),
        "known": np.ones(4, np.int32),
    }
    named = {f"target/{name}": value for name, value in targets.items()}
    np.savez(run / "classifier.npz", rows=pixels, **named)
    points = np.array([[0.3, 0.3, 0.6, 0.6, SIDE, SIDE]] * 4, np.float32)
    np.savez(run / "points.npz", rows=pixels, target=points)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp("scenes") / "shapes", train=1)


def predict(workdir, data, out, tiles="", **changed):
    finetune_builders.predict(
        *(finetune.get_config(), workdir, data),
        out=out,
        options=changed,
        tiles=tiles,
    )
    return out


def test_boxes_are_rows_in_pixels_of_the_image(workdir, scenes, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    for name in ("test00.png", "test01.png"):  # tall and wide
        file = scenes / "images" / name
        (tmp_path / name).write_bytes(file.read_bytes())
    out = predict(workdir, tmp_path, tmp_path / "out.csv")
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {
        *("path", "status", "label", "score", "x0", "y0", "x1", "y1")
    }
    limits = {"test00.png": (36, 48), "test01.png": (48, 36)}
    for name, (width, height) in limits.items():
        own = [row for row in rows if row["path"] == name]
        assert len(own) > 1
        right = max(float(row["x1"]) for row in own)
        bottom = max(float(row["y1"]) for row in own)
        assert width - 8 < right <= width and height - 8 < bottom <= height
        assert min(float(row["score"]) for row in own) >= 0.5
    out = predict(
        *(workdir, tmp_path, out), most=1, only=["square"], confidence=0.0
    )
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["", "square", "square"]
    out = predict(workdir, tmp_path, out, tiles="2x1", confidence=0.0)
    with open(out, newline="") as file:
        tiled = [row for row in csv.DictReader(file) if row["score"]]
    assert max(float(row["x1"]) for row in tiled) <= 48
    assert {row["path"] for row in tiled} == set(limits)
    with pytest.raises(ValueError, match="--alpha is not for a model of det"):
        predict(workdir, tmp_path, out, alpha=1)


def test_a_folder_takes_the_images_with_boxes_drawn(workdir, scenes, tmp_path):
    images = tmp_path / "images"
    (images / "below").mkdir(parents=True)
    (images / "bad.png").write_bytes(b"no image")
    file = scenes / "images" / "test00.png"
    (images / "below" / "tall.png").write_bytes(file.read_bytes())
    out = predict(workdir, images, tmp_path / "drawn", confidence=0.0)
    names = {p.relative_to(out).as_posix() for p in out.rglob("*.*")}
    assert names == {
        *("predictions.csv", "predictions.csv.json", "below/tall.png.png")
    }
    before, after = (
        np.asarray(Image.open(path).convert("RGB"))
        for path in (file, out / "below" / "tall.png.png")
    )
    assert before.shape == after.shape and (before != after).any()
    with pytest.raises(ValueError, match="lies in the folder"):
        predict(workdir, images, images / "drawn")


def test_results_are_loaded_by_coco(workdir, scenes, tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    out = predict(workdir, scenes / "test.json", tmp_path / "found.json")
    found = json.loads(out.read_text())
    assert {row["category_id"] for row in found} <= {3, 7}
    assert {row["image_id"] for row in found} <= set(range(100, 108))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(scenes / "test.json")
        results = truth.loadRes(str(out))
    assert len(results.anns) == len(found)
    assert all(row["file_name"].startswith("test") for row in found)


def test_the_signature_detect_gives_what_predicting_gives(
    workdir, scenes, tmp_path
):
    exported = export_builders.export(
        options(), workdir, tmp_path / "to", base.get_config()
    )["saved_model"]
    compared = exported["verification"]["forms"]["saved_model detect"]
    assert compared["by_signature"]["images"]["largest_difference"] < 1e-4
    metric = exported["verification"]["forms"]["saved_model detect"]["metric"]
    assert metric["name"] == "ap" and metric["examples"] == 4
    assert 0.1 < metric["keras"] < 0.9
    assert metric["exported"] == pytest.approx(metric["keras"], abs=0.01)
    outputs = exported["signatures"]["detect"]["outputs"]
    assert set(outputs) == {
        *("boxes", "scores", "classes", "names", "count", "status")
    }
    paths = sorted((scenes / "images").glob("test*"))
    files = [*(path.read_bytes() for path in paths), b"no image"]
    loaded = tf.saved_model.load(str(tmp_path / "to" / "1"))
    found = loaded.signatures["detect"](bytes=tf.constant(files))
    assert found["status"][-1] != b"ok" and found["count"][-1] == 0
    assert np.isnan(found["boxes"][-1]).all()
    detector = load_classifier(workdir, "classifier")
    rows = np.stack([detector.decode(path) for path in paths])
    sizes = np.array([detector.origin(path)["size"] for path in paths])
    wanted = TASK.decode(
        detector.model(detector.preprocessor(rows)), {"size": sizes}
    )
    np.testing.assert_allclose(
        found["scores"][:-1], wanted["scores"], atol=1e-3
    )
    sure = wanted["scores"].numpy() > 0.5
    sure &= np.diff(wanted["scores"], prepend=2, axis=1) < -1e-2
    np.testing.assert_allclose(
        found["boxes"][:-1].numpy()[sure],
        wanted["boxes"].numpy()[sure],
        atol=0.3,
    )
    names = np.array([b"disc", b"square"])[found["classes"][:-1].numpy()]
    assert (found["names"][:-1].numpy() == names).all()


@pytest.fixture(scope="module")
def other_formats(workdir, tmp_path_factory):
    for library in ("tf2onnx", "onnxruntime", "ai_edge_litert"):
        pytest.importorskip(library)
    target = tmp_path_factory.mktemp("formats")
    done = export_builders.export(
        *(options(), workdir, target, base.get_config(), ("onnx", "litert"))
    )
    return target, done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form", "file"),
    [
        ("onnx", "onnx classifier", "classifier.onnx"),
        ("litert", "litert float32 classifier", "classifier_float32.tflite"),
    ],
)
def test_other_formats_decode_inside_and_equal_keras(
    other_formats, name, form, file
):
    target, done = other_formats
    compared = done[name]["verification"]["forms"][form]
    assert compared["by_signature"]["images"]["largest_difference"] < 1e-4
    metric = compared["metric"]
    assert metric["exported"] == pytest.approx(metric["keras"], abs=0.02)
    outputs = done[name]["signatures"][file]["outputs"]
    assert outputs["boxes"] == "float32 [n, 100, 4]"
    assert set(outputs) == {"boxes", "scores", "classes", "count"}
    card = (target / name / "1" / "model_card.md").read_text()
    assert "(detection): disc, square. It sees the whole image" in card
    # One that holds no weights answers, too.
    assert (target / name / "1" / file).stat().st_size > 20_000


@pytest.mark.slow
def test_points_are_decoded_in_litert(workdir, tmp_path, capsys):
    pytest.importorskip("ai_edge_litert")
    config = options(
        **{"classifier": "points", "litert.precisions": "float32,int8"}
    )
    done = export_builders.export(
        config, workdir, tmp_path / "to", base.get_config(), ("litert",)
    )["litert"]
    assert "only in float32" in capsys.readouterr().out
    compared = done["verification"]["forms"]["litert float32 classifier"]
    assert compared["by_signature"]["images"]["largest_difference"] < 1e-4
    assert compared["metric"]["name"] == "pck"
    lines = verify_table.table([done["verification"]]).splitlines()
    assert lines[0].endswith("pck %") and len(lines[-1]) == len(lines[0])


@pytest.mark.parametrize("several", [True, False])
def test_test_examples_are_kept_with_their_targets(tmp_path, several):
    rows = np.arange(100 * 12, dtype=np.uint8).reshape(100, 2, 2, 3)
    examples = Examples(rows, np.zeros(100, np.int32), (), "rows")
    wanted = np.arange(100.0)
    targets = {"places": wanted} if several else wanted
    save_test_rows(examples, targets, tmp_path / "a.npz")
    found = load_test_rows(tmp_path / "a.npz")
    got = found.targets["places"] if several else found.targets
    np.testing.assert_array_equal(got, wanted[:MOST_TEST_ROWS])
    np.testing.assert_array_equal(found.rows, rows[:MOST_TEST_ROWS])
