import keras
import numpy as np
import pytest

from byol_tf.optim.optimizers import LARS, make_optimizer

RATES = [0.5, 0.1, 0.3]


class Stairs(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return keras.ops.take(keras.ops.array(RATES), step)

    def get_config(self):
        return {}


def lars_in_numpy(w, gradients, rates, decay, momentum, eta, adapt):
    m = np.zeros_like(w)
    for g, rate in zip(gradients, rates, strict=True):
        u = np.array(g, np.float64)
        if adapt:
            u = u + decay * w
            u = u * eta * np.linalg.norm(w) / np.linalg.norm(u)
        m = momentum * m + u
        w = w - rate * m
    return w


@pytest.mark.parametrize("shape,adapt", [((3, 4), True), ((4,), False)])
def test_lars_equals_numpy_with_a_changing_rate(shape, adapt):
    rng = np.random.default_rng(0)
    start = rng.normal(size=shape)
    gradients = rng.normal(size=(3, *shape)).astype(np.float32)
    variable = keras.Variable(start, dtype="float32")
    optimizer = LARS(
        Stairs(), weight_decay=0.1, momentum=0.8, trust_coefficient=0.02
    )
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
    expected = lars_in_numpy(start, gradients, RATES, 0.1, 0.8, 0.02, adapt)
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5)


def test_lars_excludes_the_variables_it_is_told_to():
    variable = keras.Variable(np.ones((2, 2)), dtype="float32")
    optimizer = LARS(1.0, weight_decay=0.5, momentum=0.0)
    optimizer.exclude([variable])
    optimizer.apply([np.full((2, 2), 0.25, np.float32)], [variable])
    np.testing.assert_allclose(variable.numpy(), 0.75)


@pytest.mark.parametrize("weight,gradient", [(0.0, 1.0), (1.0, 0.0)])
def test_lars_does_not_adapt_where_a_norm_is_zero(weight, gradient):
    variable = keras.Variable(np.full((2, 2), weight), dtype="float32")
    optimizer = LARS(0.1, weight_decay=0.0, momentum=0.0)
    optimizer.apply([np.full((2, 2), gradient, np.float32)], [variable])
    np.testing.assert_allclose(variable.numpy(), weight - 0.1 * gradient)


@pytest.mark.parametrize("rate,expected", [(0.5, 0.4), (0.001, 1.0)])
def test_clipped_lars_never_exceeds_plain_momentum(rate, expected):
    start = np.full((2, 2), 2.0, np.float32)  # norm 4
    gradient = np.full((2, 2), 1.0, np.float32)  # norm 2
    variable = keras.Variable(start)
    optimizer = LARS(
        rate,
        weight_decay=0.0,
        momentum=0.0,
        trust_coefficient=0.1,
        clip_trust_ratio=True,
    )
    optimizer.apply([gradient], [variable])
    # 0.1 * 4 / 2 = 0.2, over the rate 0.5 that is 0.4, over 0.001 above 1.
    np.testing.assert_allclose(
        variable.numpy(), start - rate * expected * gradient, rtol=1e-6
    )


def test_lars_survives_serialisation():
    optimizer = LARS(0.3, 0.01, 0.7, 0.002, gradient_accumulation_steps=4)
    packed = keras.saving.serialize_keras_object(optimizer)
    copy = keras.saving.deserialize_keras_object(packed)
    assert copy.get_config() == optimizer.get_config()
    assert copy.coupled_weight_decay == 0.01


@pytest.mark.parametrize("name", ["lars", "sgd", "adamw"])
def test_accumulation_gives_the_update_of_the_large_batch(name):
    rng = np.random.default_rng(1)
    start = rng.normal(size=(3, 4)).astype(np.float32)
    gradients = rng.normal(size=(4, 3, 4)).astype(np.float32)
    results = []
    for steps in (1, 2):
        variable = keras.Variable(start)
        optimizer = make_optimizer(
            name, 0.1, weight_decay=0.01, accumulate_steps=steps
        )
        parts = (
            gradients if steps == 2 else gradients.reshape(2, 2, 3, 4).mean(1)
        )
        for gradient in parts:
            optimizer.apply([gradient], [variable])
        assert int(optimizer.iterations) == 2
        results.append(variable.numpy())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


def test_accumulated_batches_do_not_hurry_the_schedule():
    optimizer = make_optimizer("sgd", Stairs(), accumulate_steps=2)
    packed = keras.saving.serialize_keras_object(optimizer)
    custom = {"Stairs": Stairs}
    loaded = keras.saving.deserialize_keras_object(packed, custom)
    variable = keras.Variable(np.ones((2, 2)), dtype="float32")
    for made in (optimizer, loaded):
        rates = []
        for _ in range(6):
            rates.append(float(made.learning_rate))
            made.apply([np.ones((2, 2), np.float32)], [variable])
        assert rates == pytest.approx(np.repeat(RATES, 2))


@pytest.mark.parametrize("name", ["lars", "sgd", "adamw"])
def test_exempt_variables_do_not_decay(name):
    decayed, exempt = (
        keras.Variable(np.ones((2, 2)), dtype="float32") for _ in range(2)
    )
    optimizer = make_optimizer(
        name, 0.1, weight_decay=0.5, exempt=[exempt], trust_coefficient=1.0
    )
    optimizer.build([decayed, exempt])
    zero = np.zeros((2, 2), np.float32)
    optimizer.apply([zero, zero], [decayed, exempt])
    assert np.all(exempt.numpy() == 1.0)
    assert np.all(decayed.numpy() < 1.0)


def test_unknown_optimizer_is_refused_by_name():
    with pytest.raises(ValueError, match=r"optimizer\.name.*adamax"):
        make_optimizer("adamax", 0.1)


@pytest.mark.parametrize(
    "wrong",
    [{"momentum": 1.0}, {"weight_decay": -1.0}, {"trust_coefficient": 0.0}],
)
def test_lars_refuses_impossible_values(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}"):
        LARS(**wrong)
