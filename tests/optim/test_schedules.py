import math

import keras
import numpy as np
import pytest

from byol_tf.optim.schedules import (
    CosineTau,
    WarmupCosine,
    scaled_learning_rate,
)


def test_learning_rate_scales_with_the_batch():
    assert scaled_learning_rate(0.2, 4096) == pytest.approx(3.2)


@pytest.mark.parametrize(
    "step,expected",
    [(0, 0.0), (5, 1.0), (10, 2.0), (60, 1.0), (110, 0.0), (500, 0.0)],
)
def test_warmup_cosine_at_known_steps(step, expected):
    rate = WarmupCosine(2.0, total_steps=110, warmup_steps=10)
    assert float(rate(step)) == pytest.approx(expected, abs=1e-6)


def test_without_warmup_the_first_rate_is_the_peak():
    assert float(WarmupCosine(2.0, 100)(0)) == pytest.approx(2.0)


def test_tau_follows_the_papers_formula():
    tau, steps = CosineTau(0.996, 1000), np.array([0, 1, 250, 999, 1000])
    expected = [
        1 - (1 - 0.996) * (math.cos(math.pi * k / 1000) + 1) / 2 for k in steps
    ]
    np.testing.assert_allclose([tau(k) for k in steps], expected, rtol=1e-6)


def test_tau_stays_one_after_the_end():
    assert float(CosineTau(0.9, 10)(25)) == 1.0


@pytest.mark.parametrize("tau", [-0.1, 1.1, float("nan")])
def test_tau_outside_its_range_is_refused(tau):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        CosineTau(tau, 10)


@pytest.mark.parametrize("warmup", [-1, 10, 11])
def test_warmup_must_be_shorter_than_the_whole(warmup):
    with pytest.raises(ValueError, match="warmup_steps"):
        WarmupCosine(1.0, 10, warmup)


@pytest.mark.parametrize(
    "schedule", [WarmupCosine(0.3, 50, 5), CosineTau(0.97, 50)]
)
def test_schedules_survive_serialisation(schedule):
    packed = keras.saving.serialize_keras_object(schedule)
    copy = keras.saving.deserialize_keras_object(packed)
    steps = range(0, 60, 7)
    assert [float(copy(s)) for s in steps] == [
        float(schedule(s)) for s in steps
    ]
