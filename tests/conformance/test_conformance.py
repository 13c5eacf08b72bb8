"""Every number that the official BYOL code gave, given by ours.

The vectors were made on a CPU in float32. Set BYOL_CONFORMANCE to the path of
another file of the same layout to check against that one.

Reached on the shipped file: see `docs/conformance.md`.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import byol_tf
from byol_tf.modalities.image import ops
from byol_tf.optim import ema
from byol_tf.optim.schedules import scaled_learning_rate
from tests.support import official

SINGLE = 1e-5  # losses and single operations, relative
NETWORK = 5e-5  # outputs and gradients of whole networks, relative
TRAJECTORY = 1e-4  # parameters after all steps, relative

VECTORS = official.load()
SIZES = official.config(VECTORS, "tiny")


def relative(ours, theirs):
    """Norm of the difference over the norm of the reference."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    difference = np.linalg.norm((ours.reshape(theirs.shape) - theirs).ravel())
    return difference / max(np.linalg.norm(theirs.ravel()), 1e-30)


class Run:
    """The recorded steps, made by our model."""

    def __init__(self):
        self.model = model = official.build_model(VECTORS)
        # The official target averages predictor and probe too, without using
        # them; here they are averaged beside the model.
        self.unused = {
            key: keras.Variable(value.reshape(self._online(key).shape))
            for key, value in official.group(
                VECTORS, "tiny/init/target"
            ).items()
            if official.our_name(key)[0] in ("predictor", "probe")
        }
        self.outputs = self._first_outputs()
        official_model = official.build_model(VECTORS)
        self.gradients = self._first_gradients(official_model)
        # One that the step has to build is traced twice.
        model.optimizer.build(model.trainable_variables)
        step = tf.function(model.pretrain_step, autograph=False)
        self.logs = []
        for index in range(SIZES["steps"]):
            logs = step(*_batch(index))
            self.logs.append({k: v.numpy() for k, v in logs.items()})
            ema.update_average(
                list(self.unused.values()),
                [self._online(key) for key in self.unused],
                logs["tau"],
            )

    def _online(self, key):
        return official.variable_of(self.model, key)

    def _first_outputs(self):
        model = official.build_model(VECTORS)
        (view1, view2), _ = _batch(0)
        online = model.online(view1)
        return {
            "online_embedding_view1": online.representation,
            "online_projection_view1": online.projection,
            "online_prediction_view1": online.prediction,
            "online_logits_view1": model.probe(online.representation),
            "target_projection_view2": model.target(view2).projection,
        }

    def _first_gradients(self, model):
        (view1, view2), labels = _batch(0)
        with tf.GradientTape() as tape:
            loss, _ = model.loss_of_views(view1, view2, labels)
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        by_id = dict(zip(map(id, variables), gradients, strict=True))
        return {
            key: by_id[id(official.variable_of(model, key))].numpy()
            for key in official.group(VECTORS, "tiny/step0/grad")
        }


def _batch(index):
    data = official.group(VECTORS, f"tiny/step{index}")
    return (data["view1"], data["view2"]), data["labels"]


@pytest.fixture(scope="module")
def run():
    return Run()


OUTPUTS = sorted(
    key
    for key in official.group(VECTORS, "tiny/step0")
    if key.startswith(("online_", "target_"))
)
FINAL = {
    which: sorted(official.group(VECTORS, f"tiny/final/{which}"))
    for which in ("online", "target", "online_state")
}
STATE_LAYERS = sorted(
    {key.rsplit("/~/", 1)[0] for key in FINAL["online_state"]}
)


@pytest.mark.parametrize("name", OUTPUTS)
def test_first_outputs(run, name):
    theirs = VECTORS[f"tiny/step0/{name}"]
    assert relative(run.outputs[name], theirs) < NETWORK


@pytest.mark.parametrize("index", range(SIZES["steps"]))
@pytest.mark.parametrize(
    "ours,theirs,tolerance",
    [
        ("loss", "repr_loss", SINGLE),
        ("probe_loss", "classif_loss", SINGLE),
        ("learning_rate", "learning_rate", SINGLE),
        ("tau", "tau", 1e-6),
    ],
)
def test_losses_and_rates_of_every_step(run, index, ours, theirs, tolerance):
    theirs = VECTORS[f"tiny/step{index}/{theirs}"]
    assert relative(run.logs[index][ours], theirs) < tolerance


@pytest.mark.parametrize(
    "key", sorted(official.group(VECTORS, "tiny/step0/grad"))
)
def test_first_gradients(run, key):
    theirs = official.group(VECTORS, "tiny/step0/grad")
    # A bias in front of a batch norm has a true gradient of zero; what was
    # recorded for it is rounding noise.
    floor = 1e-6 * max(np.linalg.norm(value) for value in theirs.values())
    ours = run.gradients[key].reshape(theirs[key].shape)
    difference = np.linalg.norm(ours - theirs[key])
    assert difference < max(NETWORK * np.linalg.norm(theirs[key]), floor)


@pytest.mark.parametrize("key", FINAL["online"])
def test_online_parameters_after_the_last_step(run, key):
    ours = official.variable_of(run.model, key)
    assert relative(ours, VECTORS[f"tiny/final/online/{key}"]) < TRAJECTORY


@pytest.mark.parametrize("key", FINAL["target"])
def test_target_parameters_after_the_last_step(run, key):
    if key in run.unused:
        ours = run.unused[key]
    else:
        ours = official.variable_of(run.model, key, target=True)
    assert relative(ours, VECTORS[f"tiny/final/target/{key}"]) < TRAJECTORY


@pytest.mark.parametrize("layer", STATE_LAYERS)
def test_moving_statistics_after_the_last_step(run, layer):
    network, name, _ = official.our_name(f"{layer}/scale")
    ours = getattr(run.model, network).get_layer(name)
    theirs = official.group(VECTORS, f"tiny/final/online_state/{layer}/~")
    updates = float(ours.updates.numpy())
    weight = 1 - ours.decay**updates
    for statistic, average in (
        ("mean_ema", ours.moving_mean.numpy()),
        ("var_ema", ours.moving_variance.numpy()),
    ):
        assert updates == theirs[f"{statistic}/counter"]
        assert relative(average, theirs[f"{statistic}/average"]) < TRAJECTORY
        hidden = theirs[f"{statistic}/hidden"]
        assert relative(average * weight, hidden) < TRAJECTORY


@pytest.mark.parametrize(
    "name,operation",
    [
        ("brightness", ops.adjust_brightness),
        ("contrast", ops.adjust_contrast),
        ("saturation", ops.adjust_saturation),
        ("hue", ops.adjust_hue),
    ],
)
def test_colour_operation(name, operation):
    ours = operation(VECTORS["augment/image"], VECTORS[f"augment/{name}_param"])
    assert relative(ours, VECTORS[f"augment/{name}"]) < SINGLE


def test_grayscale():
    ours = ops.to_grayscale(VECTORS["augment/image"])
    assert relative(ours, VECTORS["augment/grayscale"]) < SINGLE


def test_blur():
    ours = ops.gaussian_blur(
        VECTORS["augment/image"],
        VECTORS["augment/sigma"],
        float(VECTORS["augment/blur_kernel_size_argument"]),
    )
    assert relative(ours, VECTORS["augment/blurred"]) < SINGLE


def test_solarize():
    ours = ops.solarize(VECTORS["augment/image"], 0.5)
    assert relative(ours, VECTORS["augment/solarized"]) < SINGLE


@pytest.mark.parametrize("name", ["schedule100", "schedule1000"])
def test_schedules(name):
    settings = official.config(VECTORS, name)
    rate = byol_tf.WarmupCosine(
        scaled_learning_rate(settings["base_lr"], settings["batch"]),
        settings["total_steps"],
        settings["warmup_steps"],
    )
    tau = byol_tf.CosineTau(settings["base_ema"], settings["total_steps"])
    steps = VECTORS[f"{name}/step"]
    # Near the end the rate is a difference of nearly equal numbers, which
    # float32 holds to about 1e-7 of the peak.
    np.testing.assert_allclose(
        [float(rate(step)) for step in steps],
        VECTORS[f"{name}/learning_rate"],
        rtol=SINGLE,
        atol=1e-7 * rate.peak,
    )
    np.testing.assert_allclose(
        [float(tau(step)) for step in steps],
        VECTORS[f"{name}/tau"],
        rtol=1e-6,
    )
