"""Exported encoders: what they give, refuse, and leave behind."""

import functools
import io
import json
import pathlib
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.export import saved_model, signatures, verify
from byol_tf.files import sha256, write_json
from byol_tf.jobs.export import build as export_builders
from byol_tf.jobs.export import samples
from byol_tf.modalities.image import graph_decode as decode
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.decode import (
    MAX_PIXELS,
    ImageError,
    decode_square,
)
from byol_tf.modalities.image.inputs import png
from byol_tf.runs import encoder as encoders
from configs import base, data_argument
from tests.support.eager import eagerly
from tests.support.exporting import options, picture
from tests.support.finetuning import build
from tests.support.runs import make_run
from tests.support.settings import verify_settings


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def decoder(channels):
    """Decodes to squares of 12 pixels; traced once for all files."""

    @tf.function
    def decode_files(files, max_pixels):
        return decode.decode_squares(files, 12, channels, max_pixels)

    return decode_files.get_concrete_function(
        tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int64)
    )


def decoded(files, channels=3, max_pixels=MAX_PIXELS):
    pixels, status = decoder(channels)(
        tf.constant(files, tf.string), tf.constant(max_pixels, tf.int64)
    )
    return pixels.numpy(), [text.decode() for text in status.numpy()]


def run_export(workdir, target, **overrides):
    exported = export_builders.export(
        options(**overrides), workdir, target, base.get_config()
    )
    return exported["saved_model"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run with a classifier, as the version after the seventh."""
    folder = tmp_path_factory.mktemp("exported")
    workdir = make_run(folder)
    one = {"variants": ("frozen",), "head_learning_rates": (1.0,)}
    with eagerly():
        build(workdir, **one).run(workdir)
    (folder / "to" / ".unfinished-1").mkdir(parents=True)
    (folder / "to" / "7").mkdir()
    result = run_export(workdir, folder / "to")
    loaded = tf.saved_model.load(str(folder / "to" / "8"))
    return workdir, folder / "to", result, loaded


@pytest.mark.parametrize("channels", [1, 3])
def test_files_are_decoded_as_for_evaluation(channels):
    files = [
        encoded(picture(height, width), kind)
        for height, width in ((12, 12), (31, 20), (60, 121), (7, 9))
        for kind in ("JPEG", "PNG", "GIF", "BMP")
    ]
    files.append(encoded(picture(30, 20, 4), "PNG"))
    pixels, status = decoded(files, channels)
    assert set(status) == {"ok"}
    wanted = [decode_square(file, 12, channels) for file in files]
    np.testing.assert_allclose(pixels, np.int32(wanted), atol=3)


def test_every_orientation_of_exif_is_turned_upright():
    files = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files.append(encoded(picture(30, 40), "JPEG", exif=exif))
    wanted = [decode_square(file, 12, 3) for file in files]
    np.testing.assert_allclose(decoded(files)[0], np.int32(wanted), atol=3)


def test_damaged_files_never_fail_the_batch():
    rng = random.Random(0)
    good = [encoded(picture(40, 30), k) for k in ("JPEG", "PNG", "GIF", "BMP")]
    bad = []
    for file in good:
        for _ in range(12):
            bad.append(file[: rng.randrange(len(file))])
            flipped = bytearray(file)
            flipped[rng.randrange(len(file))] ^= 1 << rng.randrange(8)
            bad.append(bytes(flipped))
    pixels, status = decoded([*bad, *good])
    assert status[-4:] == ["ok"] * 4 and set(status) <= set(decode.STATUSES)
    np.testing.assert_array_equal(pixels[-4:], decoded(good)[0])
    assert not pixels[np.array(status) != "ok"].any()
    for file, told in zip(bad, status, strict=False):
        if told == "ok" and file[:3] == b"\x89PN":
            decode_square(file, 12, 3)  # PNG has checksums


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_half_a_file_is_damaged(kind):
    file = encoded(picture(60, 40), kind)
    half = file[: len(file) // 2]
    assert decoded([half, file])[1] == [decode.DAMAGED, "ok"]
    with pytest.raises(ImageError):
        decode_square(half, 12, 3)


def test_the_status_says_why():
    files = [
        b"",
        b"text",
        encoded(picture(90, 90), "PNG"),
        encoded(picture(9, 9).convert("P"), "BMP"),
    ]
    assert decoded(files, max_pixels=8000)[1] == [
        decode.NO_IMAGE,
        decode.NO_IMAGE,
        decode.TOO_LARGE,
        decode.UNSUPPORTED,
    ]


def test_channels_that_no_file_has_are_refused():
    with pytest.raises(ValueError, match="1 or 3"):
        decoded([b""], 2)


def test_a_bad_image_is_a_row_of_nan(exported):
    workdir, _, _, loaded = exported
    good = encoded(picture(12, 12), "PNG")
    outputs = loaded.signatures["serving_default"](
        bytes=tf.constant([good, b"no image", good])
    )
    vectors = outputs["representations"].numpy()
    assert outputs["status"].numpy()[1].decode() == decode.NO_IMAGE
    assert np.isnan(vectors[1]).all() and vectors.dtype == np.float32
    encoder = encoders.load_encoder(workdir).model
    wanted = encoder(decode_square(good, 12, 3)[None] / np.float32(255))
    np.testing.assert_allclose(vectors[[0, 2]], np.repeat(wanted, 2, 0), 1e-5)


def test_an_empty_batch_gives_no_rows(exported):
    outputs = exported[3].signatures["serving_default"](
        bytes=tf.constant([], tf.string)
    )
    assert outputs["representations"].shape[0] == 0
    assert outputs["status"].shape == (0,)


@pytest.mark.parametrize("size", [(20, 17), (12, 12)])
def test_images_of_any_size_are_taken_as_bytes_and_floats(exported, size):
    workdir, _, _, loaded = exported
    images = np.asarray(picture(*size))[None]
    encoder = encoders.load_encoder(workdir).model
    wanted = encoder(CentreView(12)(images))
    for name, given in (
        ("images", images),
        ("images_float", images / np.float32(255)),
    ):
        got = loaded.signatures[name](images=tf.constant(given))
        np.testing.assert_allclose(got["representations"], wanted, 1e-4, 1e-5)


def test_files_are_decoded_larger_than_what_the_encoder_sees(tmp_path):
    encoder = encoders.load_encoder(make_run(tmp_path, size=8))  # of 12
    _, calls = signatures.make_module(encoder)
    file = encoded(picture(12, 12), "PNG")
    got = calls["serving_default"](tf.constant([file]))
    wanted = encoder.model(CentreView(8)(decode_square(file, 12, 3)[None]))
    np.testing.assert_allclose(got["representations"], wanted, 1e-4, 1e-5)


def test_no_batch_norm_is_left_to_compute(exported):
    for name in ("images", "classify"):
        graph = exported[3].signatures[name].graph.as_graph_def()
        nodes = [
            *graph.node,
            *(n for f in graph.library.function for n in f.node_def),
        ]
        kinds = {node.op for node in nodes}
        assert "Conv2D" in kinds
        assert not {k for k in kinds if k.startswith("FusedBatchNorm")}


def test_the_version_is_one_more_and_explains_itself(exported):
    workdir, target, result, _ = exported
    assert sorted(path.name for path in target.iterdir()) == ["7", "8"]
    extra = target / "8" / "assets.extra"
    written = json.loads((extra / "export.json").read_text())
    kept = json.loads((workdir / "export.json").read_text())
    assert written == kept["saved_model"]
    assert written["version"] == 8 and result["version"] == 8
    assert written["encoder"]["sha256"] == sha256(workdir / "encoder.keras")
    knn = written["verification"]["forms"]["saved_model"]["knn"]
    assert knn["exported"] == knn["keras"]
    card = (extra / "model_card.md").read_text()
    assert written["encoder"]["sha256"] in card and "curl" in card


def test_a_fresh_process_needs_none_of_the_package(exported):
    code = (
        "import sys, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "call = model.signatures['serving_default']\n"
        "print(call(bytes=tf.constant([b'x']))['status'].numpy()[0])\n"
        "assert 'byol_tf' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, exported[1] / "8"],
        cwd=exported[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "not an image" in done.stdout


def test_an_export_that_differs_is_removed(exported, tmp_path):
    with pytest.raises(ValueError, match="differs from the encoder"):
        run_export(
            exported[0],
            tmp_path / "to",
            **{"verify.float32.min_cosine": 1.1},
        )
    assert not list(tmp_path.iterdir())


def test_nan_is_no_agreement():
    row = verify.compare(np.ones((2, 3)), np.full((2, 3), np.nan))
    numbers = {
        "precision": "float32",
        "by_signature": {"bytes": row},
        "knn": None,
    }
    with pytest.raises(ValueError, match="differs"):
        verify.check("saved_model", numbers, verify_settings())


def test_classify_tells_what_the_fine_tuned_classifier_tells(exported):
    workdir, _, result, loaded = exported
    pixels = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), np.uint8)
    files = [png(image) for image in pixels]
    told = loaded.signatures["classify"](bytes=tf.constant([*files, b"bad"]))
    kept = encoders.load_classifier(workdir, "classifier")
    outputs = kept.model.predict(kept.preprocessor(pixels), verbose=0)
    wanted = outputs["probabilities"]
    probabilities = told["probabilities"].numpy()
    np.testing.assert_allclose(probabilities[:5], wanted, atol=1e-5)
    assert not probabilities[5].any() and told["label"].numpy()[5] == b""
    names = [name.decode() for name in told["classes"].numpy()[5]]
    assert names == result["classes"] == list(kept.task.columns)
    assert told["label"].numpy()[0].decode() == names[wanted[0].argmax()]


def test_a_file_as_target_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError, match="--to must be a folder"),
        saved_model.new_version(tmp_path / "file"),
    ):
        pass


@pytest.mark.parametrize("release", ["0_1", "0_2"])
def test_a_run_that_kept_no_rows_is_exported_with_the_data_advised(
    release, tmp_path
):
    kept = pathlib.Path(__file__).parents[2] / "data"
    shutil.copytree(kept / f"run_of_release_{release}", tmp_path / "run")
    with pytest.raises(ValueError, match=r"no samples\.npz.*--data=DIR"):
        run_export(tmp_path / "run", tmp_path / "to")
    folder_of_pictures(tmp_path / "photos", [f"{i}.png" for i in range(6)])
    advised = data_argument.overrides(str(tmp_path / "photos"))
    fields = (w.removeprefix("--config.").split("=") for w in advised)
    found = samples.find(
        *(options(**dict(fields)), tmp_path / "run"),
        *(encoders.load_encoder(tmp_path / "run"), base.get_config()),
    )
    assert len(found.samples.rows) == 6


def folder_of_pictures(folder, names):
    for split in ("train", "test"):
        for number, name in enumerate(names):
            path = folder / split / f"{'ab'[number % 2]}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(12 + number, 14).save(path)
    return {
        **{"data.source": "folder", "data.dir": str(folder)},
        **{"data.image_size": 12, "data.channels": 3},
    }


@pytest.mark.parametrize(
    "names,files,rows",
    [
        (["0.png", "1.webp", "2.jpg", "3.tif"], 2, 2),
        (["0.webp", "1.webp"], 0, 2),
        (["0.png", "1.png"], 2, 2),
    ],
)
def test_files_that_exports_cannot_read_are_named_and_not_compared(
    tmp_path, capsys, names, files, rows
):
    workdir = make_run(tmp_path)
    data = folder_of_pictures(tmp_path / "photos", names)
    found = samples.find(
        *(options(**data), workdir),
        *(encoders.load_encoder(workdir), base.get_config()),
    )
    assert len(found.samples.files) == files
    assert len(found.samples.rows) == rows
    shown = capsys.readouterr().out
    named = ".webp: not an image (JPEG, PNG, GIF, BMP)" in shown
    assert named == any(name.endswith(".webp") for name in names)
    for file, row in zip(found.samples.files, found.samples.rows, strict=False):
        np.testing.assert_allclose(decoded([file])[0][0], row * 1.0, atol=3)


def test_an_earlier_classifier_is_exported_with_its_own_results(tmp_path):
    workdir = make_run(tmp_path)
    earlier = "classification_pets"
    write_json(workdir / "finetune.json", {"data": "cats"})
    write_json(workdir / f"finetune_{earlier}.json", {"data": "pets"})
    encoder = encoders.load_encoder(workdir)
    for name, data in (("", "cats"), (f"classifier_{earlier}", "pets")):
        about = export_builders._about_run(encoder, workdir, name)
        assert about["results"]["finetune"]["data"] == data
