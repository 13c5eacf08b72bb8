"""BYOL of positions, from its configuration: a step, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.jobs.pretrain import build as builders
from byol_tf.methods.dense import DenseBYOL
from tests.support.runs import tiny_config, write_arrays


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.npz"
    write_arrays(path)
    return path


def build(arrays, tmp_path, **overrides):
    own = {
        "objective.name": "dense_byol",
        "objective.level": "P2",
        "encoder.blocks": (1, 1),
        "encoder.widths": (8, 16),
        "encoder.stem": "strided",
    }
    config = tiny_config(arrays, **{**own, **overrides})
    return builders.pretraining(config, tmp_path).model


def test_a_step_moves_online_and_target_networks(arrays, tmp_path):
    model = build(arrays, tmp_path, **{"augment.place": "step"})
    assert type(model) is DenseBYOL and model.dense_weight == 0.5
    assert len(model.target_variables) == len(model._averaged_online)
    networks = model.dense_predictor, model.target_dense_projector
    before = [v.numpy() for n in networks for v in n.weights]
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (16, 12, 12, 3)), tf.uint8)
    logs = model.pretrain_step(images, np.arange(16) % 2)
    assert all(np.isfinite(value) for value in logs.values())
    after = [v.numpy() for n in networks for v in n.weights]
    changed = [not np.array_equal(*p) for p in zip(before, after, strict=True)]
    assert any(changed[: len(model.dense_predictor.weights)])
    assert any(changed[len(model.dense_predictor.weights) :])
    first, again = model.make_views(images), model.make_views(images)
    np.testing.assert_array_equal(first[0][0], again[0][0])
    assert not np.array_equal(first[0][1]["box"], first[1][1]["box"])
    with pytest.raises(ValueError, match="images of one size"):
        model.make_views((images, images))


def test_both_predictors_have_the_learning_rate_of_predictors(arrays, tmp_path):
    images = tf.constant(
        np.random.default_rng(0).integers(0, 256, (16, 12, 12, 3)), tf.uint8
    )
    moved = []
    for multiplier in (1.0, 3.0):
        own = {"objective.predictor_lr_multiplier": multiplier}
        model = build(arrays, tmp_path, **own, **{"augment.place": "step"})
        layers = model.predictor, model.dense_predictor, model.dense_projector
        kernels = [layer.trainable_variables[0] for layer in layers]
        before = [kernel.numpy() for kernel in kernels]
        model.pretrain_step(images, np.arange(16) % 2)
        after = [kernel.numpy() for kernel in kernels]
        moved.append([a - b for a, b in zip(after, before, strict=True)])
    for one, three, factor in zip(*moved, (3, 3, 1), strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(three, factor * one, rtol=0.05, atol=1e-6)


def test_a_copied_target_has_the_projector_of_positions_too(arrays, tmp_path):
    own = {"augment.place": "step", "objective.target_init": "copy"}
    model = build(arrays, tmp_path, **own)
    networks = model.dense_projector, model.target_dense_projector
    for ours, copied in zip(*(n.weights for n in networks), strict=True):
        np.testing.assert_array_equal(ours.numpy(), copied.numpy())


def test_frames_of_sounds_are_trained_where_both_views_show_them(tmp_path):
    rng = np.random.default_rng(0)
    sounds = np.int16(rng.normal(scale=3000, size=(32, 2600)))
    path = tmp_path / "sounds.npz"
    np.savez(path, train_sounds=sounds, test_sounds=sounds)
    own = {
        "modality": "audio",
        "audio.rate": 8000,
        "audio.seconds": 0.32,
        "audio.window": 256,
        "audio.bands": 16,
        "audio.high": 0.0,
        "encoder.name": "sound_small",
        "encoder.blocks": (),
        "encoder.widths": (4, 8, 8),
        "objective.level": "frames",
    }
    model = build(path, tmp_path, **own)
    batch = tf.constant(sounds[:16])
    (view, where), _ = pair = model.make_views(batch)
    assert view.shape == (16, 16, 16) and where["box"].shape == (16, 4)
    loss, vectors = model.objective(*pair, training=True)
    assert np.isfinite(loss) and vectors.shape[0] == 16
    before = [v.numpy() for v in model.dense_predictor.trainable_variables]
    logs = model.pretrain_step(batch, np.zeros(16, np.int64))
    assert np.isfinite(logs["loss"])
    after = [v.numpy() for v in model.dense_predictor.trainable_variables]
    assert all((a != b).any() for a, b in zip(after, before, strict=True))


def test_what_has_no_places_or_levels_is_refused(arrays, tmp_path):
    with pytest.raises(ValueError, match="views that report their place"):
        build(arrays, tmp_path, **{"augment.place": "pipeline"})
    with pytest.raises(ValueError, match="must be a level of the encoder"):
        build(
            arrays,
            tmp_path,
            **{"augment.place": "step", "objective.level": "P9"},
        )
