"""Floats outside of [0, 1] are refused wherever somebody can look at them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import byol_tf
from byol_tf.modalities.image.inputs import NOT_FINITE, RANGE, inputs
from byol_tf.modalities.image.views import CentreView, TwoViews, View

SEED = tf.constant([1, 2])
UNIT = np.random.default_rng(0).random((4, 12, 12, 3), np.float32)
WRONG = {
    "bytes": (UNIT * 255, "divide by 255, or pass uint8"),
    "signed": (UNIT * 2 - 1, r"\(images \+ 1\) / 2"),
    "standardised": ((UNIT - 0.45) / 0.22, "subtract the lowest"),
    "sixteen bits": (UNIT * 60000, "divide by the range"),
    "nan": (np.where(UNIT > 0.9, np.nan, UNIT), "not finite"),
    "infinite": (np.where(UNIT > 0.9, np.inf, UNIT), "not finite"),
}
CALLS = {
    "CentreView": CentreView(8),
    "View": lambda x: View(8)(x, seed=SEED),
    "TwoViews": lambda x: TwoViews.byol(8, jit_compile=False)(x, seed=SEED),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("images,advice", WRONG.values(), ids=WRONG)
def test_a_call_says_what_came_and_what_to_do(call, images, advice):
    with pytest.raises(ValueError, match=rf"in \[0, 1\]. Received.*{advice}"):
        call(images.astype(np.float32))


def test_images_of_several_sizes_are_checked_too():
    canvas = {"image": UNIT * 255, "length": tf.fill([4, 2], 9)}
    with pytest.raises(ValueError, match="divide by 255"):
        CentreView(8)(canvas)


def test_what_resizing_overshoots_is_clipped():
    view = CentreView(12)(UNIT * 1.3 - 0.1).numpy()
    assert view.shape == UNIT.shape


def test_fit_refuses_before_it_compiles():
    encoder = byol_tf.ResNet((8, 8, 3), (1,), (4,))
    model = byol_tf.BYOL(
        encoder, TwoViews.byol(8), hidden_size=8, projection_size=4
    )
    model.compile(keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="divide by 255"):
        model.fit(UNIT * 255, verbose=0)
    assert int(model.step.numpy()) == 0


SIZES = {"image_size": 12, "channels": 3, "max_pixels": 10**6}


@pytest.mark.parametrize("images,_", WRONG.values(), ids=WRONG)
def test_an_export_says_which_row_is_wrong(images, _):
    mixed = tf.constant(np.concatenate([images[:1], UNIT[:1]]), tf.float32)
    found = inputs(CentreView(8), SIZES, "saved_model")["images_float"]
    assert found.has_status
    batch, status = tf.function(found.read)(mixed)
    assert status.numpy().tolist() == [RANGE.encode(), b"ok"]
    np.testing.assert_allclose(batch[1:], CentreView(8)(UNIT[:1]), atol=1e-6)
    (graph,) = inputs(CentreView(8), SIZES, "graph").values()
    batch, good = tf.function(graph.read)(mixed)
    assert good.numpy().tolist() == [False, True]
    assert np.isnan(batch[0]).all() and np.isfinite(batch[1]).all()


def test_stored_floats_of_a_windowed_export_must_be_finite():
    prepare = CentreView(8, window=(0.0, 3000.0), stored="float32")
    found = inputs(prepare, {**SIZES, "dtype": "float32"}, "saved_model")
    assert set(found) == {"serving_default", "images"}
    rows = np.stack([UNIT[0] * 3000, UNIT[1] * np.nan])
    _, status = tf.function(found["images"].read)(tf.constant(rows))
    assert status.numpy().tolist() == [b"ok", NOT_FINITE.encode()]
