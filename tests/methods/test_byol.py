"""The algorithm: what is updated by what, on tiny models."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import byol_tf
from byol_tf.losses.objectives import byol_loss
from byol_tf.modalities.image.resnet import ResNet
from byol_tf.optim.optimizers import make_optimizer


def images(count=8, seed=0, channels=3):
    shape = (count, 8, 8, channels)
    return np.random.default_rng(seed).random(shape, np.float32)


def make_model(optimizer=None, dtype="float32", eager=False, **kwargs):
    keras.utils.set_random_seed(0)
    options = {"hidden_size": 16, "projection_size": 4, **kwargs}
    encoder = ResNet((8, 8, 3), (1,), (4,), dtype=dtype)
    model = byol_tf.BYOL(encoder, dtype=dtype, **options)
    model.compile(optimizer or keras.optimizers.SGD(0.1), run_eagerly=eager)
    return model


def values(variables):
    return [variable.numpy() for variable in variables]


def same(before, after):
    return [np.array_equal(x, y) for x, y in zip(before, after, strict=True)]


def pair(seed=0):
    return images(seed=seed), images(seed=seed + 100)


@keras.saving.register_keras_serializable("byol_tf_tests")
class ShiftedPair(keras.layers.Layer):
    """Two views that add a number drawn by seed."""

    def call(self, inputs, seed=None):
        noise = tf.random.stateless_uniform((2,), seed, maxval=0.2)
        return inputs + noise[0], inputs + noise[1]


def test_the_target_is_the_average_after_the_update():
    model = make_model(tau=0.9)
    before = values(model.target_variables)
    model.pretrain_step(pair())
    online = (
        model.encoder.trainable_variables + model.projector.trainable_variables
    )
    for old, new, now in zip(
        before, values(online), values(model.target_variables), strict=True
    ):
        np.testing.assert_allclose(now, 0.9 * old + 0.1 * new, atol=1e-6)


def test_every_online_parameter_moves_and_only_they_get_gradients():
    model = make_model(tau=1.0)
    online = values(model.trainable_variables)
    target = values(model.target_variables)
    model.pretrain_step(pair())
    model.pretrain_step(pair(1))
    # The bias in front of a batch norm has no effect, hence no gradient.
    moved = [not s for s in same(online, values(model.trainable_variables))]
    for variable, has_moved in zip(
        model.trainable_variables, moved, strict=True
    ):
        assert has_moved or variable.name == "bias", variable.path
    assert all(same(target, values(model.target_variables)))


def test_the_target_is_neither_trained_nor_in_the_optimizer():
    model = make_model(keras.optimizers.Adam())
    model.pretrain_step(pair())
    target = {id(v) for v in model.target_variables}
    assert not target & {id(v) for v in model.trainable_variables}
    assert target <= {id(v) for v in model.non_trainable_variables}
    slots = 2 * len(model.trainable_variables)
    bookkeeping = 2  # iterations and learning rate
    assert len(model.optimizer.variables) == slots + bookkeeping


def test_the_targets_moving_statistics_are_its_own():
    model = make_model(tau=1.0)
    view1, view2 = pair()
    stem = model.target_encoder.get_layer("stem_norm")
    model.pretrain_step((view1, view2))
    assert float(stem.updates.numpy()) == 2
    online = model.encoder.get_layer("stem_norm")
    assert not np.allclose(stem.moving_mean.numpy(), online.moving_mean.numpy())


def test_each_view_has_batch_statistics_of_its_own():
    model = make_model()
    view1, view2 = images(), 0.2 * images(seed=1)
    loss, _ = model.loss_of_views(view1, view2)
    passes = [
        model.online(view1).prediction,
        model.online(view2).prediction,
        model.target(view1).projection,
        model.target(view2).projection,
    ]
    np.testing.assert_allclose(loss, byol_loss(*passes), rtol=1e-5)
    # One pass over both views would mix their statistics.
    both = np.concatenate([view1, view2])
    prediction = model.online(both).prediction
    projection = model.target(both).projection
    mixed = byol_loss(
        prediction[:8], prediction[8:], projection[:8], projection[8:]
    )
    assert abs(float(mixed - loss)) > 1e-2


def test_the_target_starts_with_weights_of_its_own():
    model = make_model()
    kernel = model.encoder.get_layer("stem_conv").kernel.numpy()
    target = model.target_encoder.get_layer("stem_conv").kernel.numpy()
    assert not np.allclose(kernel, target)


def test_the_target_can_start_as_a_copy():
    model = make_model(target_init="copy")
    kernel = model.encoder.get_layer("stem_conv").kernel.numpy()
    target = model.target_encoder.get_layer("stem_conv").kernel.numpy()
    np.testing.assert_array_equal(kernel, target)


def test_labels_do_not_reach_the_encoder():
    model = make_model(probe_classes=3)
    labels = np.arange(8) % 3
    view1, view2 = pair()
    with tf.GradientTape(persistent=True) as tape:
        loss, _ = model.loss_of_views(view1, view2, labels)
        without, _ = model.loss_of_views(view1, view2)
        probe_loss = loss - without
    network = model.encoder.trainable_variables
    for gradient in tape.gradient(
        probe_loss,
        [v.value for v in network],
        unconnected_gradients="zero",
    ):
        np.testing.assert_allclose(gradient, 0, atol=1e-6)
    to_probe = tape.gradient(probe_loss, model.probe.kernel.value)
    assert np.abs(to_probe).max() > 0


def test_the_probe_learns_only_from_known_labels():
    model = make_model(probe_classes=3)
    view1, view2 = pair()
    known = np.array([0, 1, 2, 0, -1, -1, -1, -1])
    _, logs = model.loss_of_views(view1, view2, known)
    logits = model.probe(model.online(view1).representation).numpy()[:4]
    logits -= logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -log_p[np.arange(4), known[:4]].mean()
    np.testing.assert_allclose(logs["probe_loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("tau,step,expected", [(0.97, 0, 0.97), (0.5, 0, 0.5)])
def test_tau_of_the_logs_is_the_schedules(tau, step, expected):
    model = make_model(tau=byol_tf.CosineTau(tau, 10))
    logs = model.pretrain_step(pair(step))
    assert float(logs["tau"]) == pytest.approx(expected)
    second = model.pretrain_step(pair(step))
    assert float(second["tau"]) > expected


def test_without_an_update_the_target_rests():
    model = make_model(make_optimizer("sgd", 0.1, accumulate_steps=2), tau=0.5)
    before = values(model.target_variables)
    model.pretrain_step(pair())
    assert all(same(before, values(model.target_variables)))
    model.pretrain_step(pair(1))
    assert not all(same(before, values(model.target_variables)))
    assert int(model.step.numpy()) == 2


def test_after_a_float16_overflow_the_target_rests():
    model = make_model(dtype="mixed_float16", tau=0.5)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.dynamic_scale.assign(float("inf"))
    before = values(model.target_variables)
    model.pretrain_step(pair())
    assert all(same(before, values(model.target_variables)))


def test_accumulation_moves_the_encoder_as_the_large_batch_does():
    # Dense layers, since batch norm sees the small batches.
    def dense_model(steps):
        keras.utils.set_random_seed(1)
        encoder = keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(5, activation="tanh")]
        )
        model = byol_tf.BYOL(encoder, hidden_size=8, projection_size=3)
        model.projector = model.predictor = keras.layers.Identity()
        model.target_projector = keras.layers.Identity()
        model.compile(make_optimizer("lars", 1.0, accumulate_steps=steps))
        return model

    rng = np.random.default_rng(0)
    view1, view2 = rng.random((2, 8, 6), np.float32)
    whole, parts = dense_model(1), dense_model(2)
    whole.pretrain_step((view1, view2))
    for half in (slice(4), slice(4, 8)):
        parts.pretrain_step((view1[half], view2[half]))
    for ours, theirs in zip(
        parts.encoder.get_weights() + parts.target_encoder.get_weights(),
        whole.encoder.get_weights() + whole.target_encoder.get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def dataset(count, classes=None):
    data = images(count)
    if classes:
        data = data, np.arange(count) % classes
    return tf.data.Dataset.from_tensor_slices(data).batch(8)


def learning_model(dtype):
    adam = keras.optimizers.Adam(0.01)
    return make_model(adam, dtype, views=ShiftedPair(), probe_classes=2)


def assert_lower(losses):
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.slow
def test_fit_traces_the_step_once(monkeypatch):
    model, traces = learning_model("float32"), []
    step = model.pretrain_step
    monkeypatch.setattr(
        model,
        "pretrain_step",
        lambda *batch: traces.append(batch) or step(*batch),
    )
    model.fit(dataset(32), epochs=2, verbose=0)
    assert len(traces) == 1


@pytest.fixture(scope="module")
def fitted():
    """A model that got labels later, and what its two trainings say."""
    model = learning_model("float32")
    first = model.fit(dataset(16), verbose=0).history
    assert int(model.step.numpy()) == 2
    second = model.fit(
        dataset(32, classes=2),
        validation_data=dataset(32, classes=2),
        epochs=6,
        verbose=0,
    ).history
    return model, first, second


@pytest.mark.slow
def test_fit_works_without_labels(fitted):
    _, history, _ = fitted
    assert np.isfinite(history["loss"][0])
    assert "probe_accuracy" not in history


@pytest.mark.slow
def test_fit_takes_labels_later_and_evaluates(fitted):
    *_, history = fitted
    assert 0 < history["val_loss"][0] < 8
    assert "probe_accuracy" in history


@pytest.mark.slow
def test_fit_lowers_the_loss(fitted):
    *_, history = fitted
    assert_lower(history["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_fit_lowers_the_loss_in_mixed_precision(dtype):
    model = learning_model(dtype)
    history = model.fit(dataset(32, classes=2), epochs=6, verbose=0).history
    assert_lower(history["loss"])
    assert model.encoder(images()).dtype == "float32"


@pytest.mark.slow
def test_evaluation_changes_nothing(fitted):
    model, *_ = fitted
    before = values(model.variables)
    model.evaluate(dataset(32, classes=2), verbose=0)
    assert all(same(before, values(model.variables)))


@pytest.fixture(scope="module")
def compiled():
    """A step that is compiled with XLA, and the losses of three of them."""
    model = make_model(views=ShiftedPair())
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.pretrain_step, jit_compile=True, autograph=False)
    return step, [
        step(tf.constant(images(seed=seed)))["loss"] for seed in range(3)
    ]


@pytest.mark.slow
def test_the_step_is_traced_once(compiled):
    step, _ = compiled
    assert step.experimental_get_tracing_count() == 1


@pytest.mark.slow
def test_the_whole_step_compiles_with_xla(compiled):
    _, losses = compiled
    assert np.isfinite(losses).all()


def test_views_differ_from_step_to_step_and_repeat_by_seed():
    first, again = (make_model(views=ShiftedPair(), seed=3) for _ in range(2))
    views = first.make_views(images())[0].numpy()
    np.testing.assert_array_equal(views, again.make_views(images())[0])
    first.pretrain_step(images())
    assert not np.allclose(views, first.make_views(images())[0])


def test_the_whole_model_saves_and_loads_in_safe_mode(tmp_path):
    model = make_model(
        byol_tf.LARS(0.1),
        views=ShiftedPair(),
        tau=byol_tf.CosineTau(0.97, 10),
        probe_classes=3,
        seed=5,
    )
    model.pretrain_step(images(), np.arange(8) % 3)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    logs = [
        m.pretrain_step(images(seed=1), np.arange(8) % 3) for m in (model, copy)
    ]
    for key in logs[0]:
        np.testing.assert_allclose(logs[0][key], logs[1][key], rtol=1e-6)
    for ours, theirs in zip(
        copy.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_model_with_the_paper_views_saves_after_fit(tmp_path):
    views = byol_tf.TwoViews.byol(8, jit_compile=False)
    model = make_model(views=views, eager=True)
    model.fit(dataset(16), verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for ours, theirs in zip(
        copy.make_views(images()), model.make_views(images()), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert copy.views.view2.solarize == 0.2


def test_the_encoder_alone_saves_and_loads_in_safe_mode(tmp_path):
    model = make_model()
    model.pretrain_step(pair())
    model.encoder.save(tmp_path / "encoder.keras")
    copy = keras.saving.load_model(tmp_path / "encoder.keras", safe_mode=True)
    np.testing.assert_array_equal(
        copy.predict(images(), verbose=0),
        model.predict(images(), verbose=0),
    )


@pytest.mark.parametrize(
    "wrong,message",
    [
        ({"tau": 1.5}, "tau"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"projection_size": -1}, "projection_size"),
        ({"target_init": "zeros"}, "target_init"),
    ],
)
def test_impossible_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_model(**wrong)


def test_an_encoder_that_gives_maps_is_refused():
    encoder = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)]
    )
    with pytest.raises(ValueError, match=r"\[batch, features\]"):
        byol_tf.BYOL(encoder)


def test_an_encoder_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="must be built"):
        byol_tf.BYOL(keras.Sequential([keras.layers.Dense(3)]))


def test_a_subclassed_encoder_is_refused_with_the_way_out():
    class Encoder(keras.Model):
        def call(self, inputs):
            return keras.ops.mean(inputs, (1, 2))

    encoder = Encoder()
    encoder(images())
    with pytest.raises(ValueError, match=r"wrap a subclassed one"):
        byol_tf.BYOL(encoder)


def test_tau_zero_copies_the_online_network():
    model = make_model(tau=0.0)
    model.pretrain_step(pair())
    online = values(model.encoder.trainable_variables)
    target = values(model.target_encoder.trainable_variables)
    for ours, theirs in zip(target, online, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
