"""What every method of pretraining does as a Keras model, on vectors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.losses import contrastive, decorrelation, objectives
from byol_tf.methods.byol import BYOL
from byol_tf.methods.joint import BarlowTwins, SimCLR, Triplet, VICReg
from byol_tf.methods.moco_v3 import MoCoV3
from byol_tf.methods.simsiam import SimSiam
from byol_tf.optim.optimizers import make_optimizer

METHODS = {
    "byol": BYOL,
    "moco_v3": MoCoV3,
    "simsiam": SimSiam,
    "simclr": SimCLR,
    "triplet": Triplet,
    "barlow_twins": BarlowTwins,
    "vicreg": VICReg,
}
EACH = pytest.mark.parametrize("name", METHODS)
WITH_TARGET = ("byol", "moco_v3")
# Values that differ from the defaults.
OWN = {
    "byol": {"tau": 0.7, "normalize_projection": True},
    "moco_v3": {"tau": 0.7, "temperature": 0.6, "projector_layers": 2},
    "simsiam": {
        "predictor_hidden_size": 3,
        "normalize_projection": False,
        "predictor_lr_multiplier": 2.0,
    },
    "simclr": {"temperature": 0.6, "projector_layers": 3},
    "triplet": {"margin": 0.4},
    "barlow_twins": {"off_diagonal_weight": 0.2, "loss_scale": 0.5},
    "vicreg": {"invariance": 2.0, "variance": 3.0, "covariance": 4.0},
}


@keras.saving.register_keras_serializable("byol_tf_tests")
class NoisyPair(keras.layers.Layer):
    """Two views of vectors: with noise, drawn by seed."""

    def call(self, inputs, seed=None):
        shape = [2, *tf.unstack(tf.shape(inputs))]
        noise = tf.random.stateless_normal(shape, seed)
        return inputs + 0.1 * noise[0], inputs + 0.1 * noise[1]


def inputs(count=16, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 6)).astype(np.float32)


def make_model(name, **kwargs):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(5, activation="tanh")]
    )
    sizes = {"hidden_size": 8, "projection_size": 4}
    model = METHODS[name](encoder, NoisyPair(), **{**sizes, **kwargs})
    model.compile(keras.optimizers.Adam(0.01))
    return model


def gradients(model, variables):
    views = [tf.constant(inputs(seed=seed)) for seed in (1, 2)]
    with tf.GradientTape() as tape:
        loss, _ = model.loss_of_views(*views)
    return tape.gradient(loss, variables)


@pytest.mark.slow
@EACH
def test_fit_lowers_the_loss_and_the_model_saves_and_loads(name, tmp_path):
    model = make_model(name, probe_classes=2, seed=3, **OWN[name])
    data = (inputs(64), np.arange(64) % 2)
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(16)
    history = model.fit(dataset, epochs=12, verbose=0).history
    losses = np.array(history["loss"])
    # Some losses have a minimum below 0.
    assert losses[-2:].mean() < losses[0] - 0.05 * abs(losses[0])

    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(copy) is METHODS[name]
    settings = [m.get_config() for m in (model, copy)]
    for parts in settings:
        del parts["encoder"], parts["views"]
    assert settings[0] == settings[1]
    views = model.make_views(inputs())
    for ours, theirs in zip(copy.make_views(inputs()), views, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(
        copy.loss_of_views(*views, training=False)[0],
        model.loss_of_views(*views, training=False)[0],
        rtol=1e-6,
    )


@EACH
def test_every_online_parameter_gets_a_gradient(name):
    model = make_model(name)
    for gradient, variable in zip(
        gradients(model, model.trainable_variables),
        model.trainable_variables,
        strict=True,
    ):
        # A bias in front of a batch norm has a gradient of zero.
        assert gradient is not None, variable.path
        assert np.abs(gradient).max() > 0 or variable.name == "bias"


@pytest.mark.parametrize("name", WITH_TARGET)
def test_no_gradient_reaches_the_target_and_it_is_averaged(name):
    model = make_model(name, tau=0.9)
    assert set(gradients(model, model.target_variables)) == {None}
    before = [v.numpy() for v in model.target_variables]
    model.pretrain_step(inputs())
    online = model.encoder.trainable_variables
    online += model.projector.trainable_variables
    for old, new, now in zip(
        before, online, model.target_variables, strict=True
    ):
        np.testing.assert_allclose(now, 0.9 * old + 0.1 * new, atol=1e-6)


@EACH
def test_the_loss_is_that_of_the_paper_on_the_outputs(name):
    model = make_model(name, **OWN[name])
    views = inputs(seed=1), inputs(seed=2)
    online = [model.online(view) for view in views]
    target = [model.target(view) for view in views]
    z = [outputs.projection for outputs in online]
    k = [outputs.projection for outputs in target]
    p = [outputs.prediction for outputs in online]
    expected = {
        "byol": lambda: objectives.byol_loss(*p, *k),
        "moco_v3": lambda: contrastive.info_nce(*p, *k, 0.6),
        "simsiam": lambda: objectives.negative_cosine(*p, *k),
        "simclr": lambda: contrastive.nt_xent(*z, 0.6),
        "triplet": lambda: contrastive.triplet_semi_hard(*z, 0.4),
        "barlow_twins": lambda: 0.5 * decorrelation.barlow_twins(*z, 0.2),
        "vicreg": lambda: decorrelation.vicreg(*z, 2.0, 3.0, 4.0),
    }
    loss, _ = model.loss_of_views(*views)
    np.testing.assert_allclose(loss, expected[name](), rtol=1e-6)


@EACH
def test_there_is_a_target_network_only_where_it_belongs(name):
    model = make_model(name)
    online, target = (
        model.online(inputs(), False),
        model.target(inputs(), False),
    )
    same = np.allclose(online.representation, target.representation)
    # The target of MoCo v3 starts as a copy.
    assert same == (name != "byol")
    assert hasattr(model, "target_encoder") == (name in WITH_TARGET)
    assert "tau" in {m.name for m in model.metrics} or name not in WITH_TARGET


@pytest.mark.parametrize("name", ["simclr", "triplet", "barlow_twins"])
def test_without_a_predictor_the_prediction_is_the_projection(name):
    outputs = make_model(name).online(inputs())
    np.testing.assert_array_equal(outputs.prediction, outputs.projection)


@pytest.mark.parametrize("name", ["byol", "moco_v3", "simsiam"])
def test_the_predictor_can_be_left_out(name):
    model = make_model(name, predictor_hidden_size=0)
    outputs = model.online(inputs())
    np.testing.assert_array_equal(outputs.prediction, outputs.projection)
    assert None not in gradients(model, model.trainable_variables)


@pytest.mark.parametrize("name", ["simsiam", "moco_v3"])
def test_the_projector_ends_with_a_norm_where_the_paper_has_one(name):
    projection = make_model(name).online(inputs(32)).projection.numpy()
    np.testing.assert_allclose(projection.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(projection.std(0), 1, atol=1e-2)


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_the_projector_has_so_many_linear_layers(layers):
    model = make_model("simclr", projector_layers=layers)
    kernels = [v for v in model.projector.variables if v.name == "kernel"]
    assert len(kernels) == layers


def test_simsiam_has_a_bottleneck_of_a_quarter():
    model = make_model("simsiam", projection_size=16)
    assert model.predictor.get_layer("hidden").units == 4


@pytest.mark.parametrize(
    "name,wrong",
    [
        ("simclr", {"temperature": 0.0}),
        ("moco_v3", {"temperature": -1.0}),
        ("triplet", {"margin": 0.0}),
        ("triplet", {"margin": 4.5}),
        ("barlow_twins", {"off_diagonal_weight": -0.1}),
        ("barlow_twins", {"loss_scale": 0.0}),
        ("vicreg", {"covariance": -1.0}),
        ("simclr", {"projector_layers": 1}),
        ("simsiam", {"predictor_hidden_size": -2}),
    ],
)
def test_impossible_arguments_are_refused(name, wrong):
    (key,) = wrong
    message = key.removeprefix("projector_").removeprefix("predictor_")
    with pytest.raises(ValueError, match=message):
        make_model(name, **wrong)


STEPS, EPS = 3, np.finfo(np.float32).eps


def kernels_of(model):
    """Not the biases: in front of a batch norm their gradient is rounding."""
    return [w for w in model.get_weights() if w.ndim == 2]


def with_a_rate_of_its_own(optimizer, variables, multiplier):
    """The optimizer with a larger learning rate for some variables."""
    chosen = {id(variable.value) for variable in variables}

    class Faster(type(optimizer)):
        def update_step(self, gradient, variable, learning_rate):
            if id(variable) in chosen:
                learning_rate = learning_rate * multiplier
            super().update_step(gradient, variable, learning_rate)

    optimizer.__class__ = Faster
    return optimizer


@pytest.mark.parametrize(  # each method, and each optimizer
    "method,name,rate",
    [
        ("byol", "sgd", 0.1),
        ("byol", "lars", 20.0),
        ("byol", "adamw", 0.1),
        ("moco_v3", "lars", 20.0),
        ("simsiam", "adamw", 0.1),
    ],
)
def test_the_predictor_has_a_learning_rate_of_its_own(method, name, rate):
    kernels = []
    for inside in (True, False):
        factor = {"predictor_lr_multiplier": 3.0} if inside else {}
        model = make_model(method, predictor_hidden_size=5, seed=1, **factor)
        optimizer = make_optimizer(name, rate)
        if not inside:
            optimizer = with_a_rate_of_its_own(
                optimizer, model.predictor.trainable_variables, 3.0
            )
        model.compile(optimizer)
        start, first = model.predictor.get_weights()[0], kernels_of(model)
        for step in range(STEPS):
            model.pretrain_step(tf.constant(inputs(seed=step)))
        assert np.abs(model.predictor.get_weights()[0] - start).max() > 1e-3
        kernels.append(kernels_of(model))
    assert len(kernels[0]) >= 5
    for before, ours, theirs in zip(first, *kernels, strict=True):
        # Each step moves a kernel by gradients that were summed over 16 rows
        # and 8 units in every layer; their rounding goes by the length of
        # the move, however small a weight is. A multiplier that is off by
        # 1 % changes a weight by more than ten times as much.
        moved = np.linalg.norm(theirs - before)
        summands = STEPS * len(first) * 16 * 8
        atol = EPS * (summands * moved + np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def test_a_learning_rate_of_the_predictor_must_be_above_zero():
    with pytest.raises(ValueError, match=r"predictor_lr_multiplier.*above 0"):
        make_model("byol", predictor_lr_multiplier=0)
