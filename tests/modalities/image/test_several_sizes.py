"""Images stored as files of several sizes, cut from their originals."""

import functools
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf import View, load_encoder
from byol_tf.data.batches import rows_for_views, training_batches
from byol_tf.data.order import epoch_order
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.jobs.pretrain import build, data
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.runs.config import save_config
from byol_tf.seeds import step_seed
from tests.support.eager import eagerly
from tests.support.runs import tiny_config

SIZE = 16


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Of stripes of two directions, no two files of one size."""
    folder = tmp_path_factory.mktemp("sizes")
    rng = np.random.default_rng(0)
    for number in range(48):
        height, width = 20 + number, 70 - number
        lines = np.arange((height, width)[number % 2]) // 4 % 2
        lines = (lines * 200).astype(np.uint8)
        image = np.zeros((height, width, 3), np.uint8)
        image += lines[:, None, None] if number % 2 == 0 else lines[:, None]
        image += rng.integers(0, 55, image.shape, np.uint8)
        split = "test" if number >= 32 else "train"
        path = folder / "data" / split / ("down", "across")[number % 2]
        path.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / f"{number:02}.png")
    overrides = {"data.source": "folder", "augment.size": SIZE}
    return tiny_config(folder / "data", **overrides)


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    with eagerly():
        build.pretraining(config, folder).run(folder)
    save_config(config, folder)
    return folder


@pytest.fixture(params=["files", "pixels", "shards"])
def stored(config, request):
    config = config.copy_and_resolve_references()
    config.data.store = request.param
    return config


def examples_of(config, folder):
    both = data.data(config, folder, None)
    views = IMAGE.views(config, IMAGE.fit(both[0], config))
    (train, _), _ = data.store_examples(config, folder, both, views)
    return train, views


def batches_of(config, folder, **options):
    train, views = examples_of(config, folder)
    seed = functools.partial(step_seed, 0)
    batches = training_batches(
        train, 16, seed=0, views=views, view_seed=seed, **options
    )
    return views, list(batches)


def test_a_resumed_run_gets_the_same_crops(stored, tmp_path):
    _, whole = batches_of(stored, tmp_path, num_steps=4)
    _, rest = batches_of(stored, tmp_path, start_step=3, num_steps=1)
    for ours, theirs in zip(
        tf.nest.flatten(rest), tf.nest.flatten(whole[3:]), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_batch_has_the_crops_of_each_file_by_itself(stored, tmp_path):
    views, ((crops, labels),) = batches_of(stored, tmp_path, num_steps=1)
    train, _ = examples_of(stored, tmp_path)
    rows = epoch_order(train.num_examples, 0, 0)[:16]
    np.testing.assert_array_equal(labels, train.labels[rows])
    alone = rows_for_views(train, rows, views, step_seed(0, 0))
    for ours, theirs in zip(crops, alone, strict=True):
        assert ours.dtype == theirs.dtype == tf.uint8
        np.testing.assert_array_equal(ours, theirs)


def test_both_views_have_crops_of_their_own(config, tmp_path):
    views, ((crops, _),) = batches_of(config, tmp_path, num_steps=1)
    first, second = views(crops, seed=step_seed(0, 0))
    assert first.shape == second.shape == (16, SIZE, SIZE, 3)
    same = np.all(np.equal(*crops), axis=(1, 2, 3))
    assert not same.any()


def test_cutting_runs_as_it_was_written(config, tmp_path, monkeypatch):
    # `tf.data` converts functions, and all they call, to a slower form.
    callers = set()

    def cut_array(self, image, numbers, real=View.cut_array):
        frame = sys._getframe()
        while frame := frame.f_back:
            callers.add(frame.f_code.co_filename)
        return real(self, image, numbers)

    monkeypatch.setattr(View, "cut_array", cut_array)
    batches_of(config, tmp_path, num_steps=1)
    assert any(name.endswith("batches.py") for name in callers)
    assert not [name for name in callers if "autograph_generated" in name]


def test_the_run_learns_and_explains_itself(run):
    names = {path.name for path in run.iterdir()}
    assert names >= {"encoder.keras", "samples.npz", "report.html", "views.png"}


def test_a_file_is_encoded_by_its_centre_square(run, config):
    encoder = load_encoder(run)
    _, test = data.data(config, run, None)
    together = encoder.model(
        encoder.preprocessor(test.take(np.arange(3))), training=False
    )
    for row, ours in enumerate(together):
        image = test.read(row)["image"][None]
        alone = encoder.model(encoder.preprocessor(image), training=False)
        np.testing.assert_allclose(ours, alone[0], atol=1e-5)


def test_a_size_of_the_views_is_asked_for(config, tmp_path):
    without = config.copy_and_resolve_references()
    without.augment.size = 0
    with pytest.raises(ValueError, match=r"augment.size is needed"):
        build.pretraining(without, tmp_path)


def test_photos_are_judged_without_a_padded_batch_of_them(
    config, tmp_path, monkeypatch
):
    photos = examples_of(config, tmp_path)[0]
    prepare = CentreView(SIZE)
    expected = prepare(photos.take(np.arange(4)))
    monkeypatch.setattr("byol_tf.data.examples.pack", None)
    pixels = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(pixels, keras.layers.Flatten()(pixels))
    found = FeatureExtractor(model, prepare, batch_size=3)(photos)
    assert len(found) == photos.num_examples
    expected = np.reshape(expected, (4, -1))
    np.testing.assert_allclose(found[:4], expected, atol=1e-6)


def test_photos_are_no_larger_than_views_with_labels_need(config, tmp_path):
    photos = data.data(config, tmp_path, None)[0]
    crops = {"area": (0.5, 1.0), "aspect": (1.0, 1.0)}
    view = IMAGE.train_view(CentreView(SIZE), crops)
    sides = [min(photos.read(row)["image"].shape[:2]) for row in range(32)]
    least = [
        min(photos.reduced(view).read(row)["image"].shape[:2])
        for row in range(32)
    ]
    assert least == [min(side, 23) for side in sides]  # 16 / sqrt(0.5)
    assert max(sides) > 23
