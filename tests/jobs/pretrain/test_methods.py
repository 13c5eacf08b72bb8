"""Every method from its configuration: what is built, refused and run."""

import importlib

import numpy as np
import pytest

from byol_tf import CentreView
from byol_tf.jobs.pretrain import build as builders
from byol_tf.jobs.pretrain.methods import METHODS
from byol_tf.modalities.image.modality import IMAGE
from tests.support.eager import eagerly
from tests.support.runs import tiny_config, write_arrays

# Positions are learned of views that say where they lie: test_dense.py.
ALIKE = [name for name in METHODS if name != "dense_byol"]
RECIPES = [name for name in ALIKE if name != "byol"]
# A step that compiles no views.
GIVEN_VIEWS = {"augment.place": "pipeline"}


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.npz"
    write_arrays(path)
    return path


def build(arrays, tmp_path, **overrides):
    config = tiny_config(arrays, **{**GIVEN_VIEWS, **overrides})
    return builders.pretraining(config, tmp_path).model


@pytest.mark.parametrize("name", ALIKE)
def test_every_name_trains_a_step(arrays, tmp_path, name):
    model = build(arrays, tmp_path, **{"objective.name": name})
    assert type(model) is METHODS[name].model
    before = [v.numpy() for v in model.encoder.trainable_variables]
    rng = np.random.default_rng(0)
    views = rng.random((2, 16, 12, 12, 3), np.float32)
    logs = model.pretrain_step(tuple(views), np.arange(16) % 2)
    assert all(np.isfinite(value) for value in logs.values())
    after = [v.numpy() for v in model.encoder.trainable_variables]
    assert not all(map(np.array_equal, before, after))


def test_a_run_without_a_target_network_is_watched_and_judged(arrays, tmp_path):
    config = tiny_config(arrays, epochs=1, **{"objective.name": "simclr"})
    job = builders.pretraining(config, tmp_path)
    assert job.title.startswith("SimCLR on ")
    with eagerly():
        result = job.run(tmp_path)
    assert result["after"]["knn_accuracy"] > 0
    metrics = (tmp_path / "metrics.jsonl").read_text()
    assert '"agreement"' in metrics and '"projection_std"' in metrics


def test_heads_of_zero_are_the_methods_own(arrays, tmp_path):
    own = {"heads.hidden_size": 0, "heads.projection_size": 0}
    model = build(arrays, tmp_path, **own, **{"objective.name": "simclr"})
    assert model.projector.get_layer("hidden").units == 2048
    assert model.projector.output_shape[-1] == 128


def test_heads_can_be_set(arrays, tmp_path):
    model = build(
        arrays,
        tmp_path,
        **{
            "objective.name": "simsiam",
            "heads.projector_layers": 2,
            "heads.predictor_hidden_size": 5,
        },
    )
    assert "hidden_2" not in {layer.name for layer in model.projector.layers}
    assert model.predictor.get_layer("hidden").units == 5


@pytest.mark.parametrize(
    "name,choice,normalized",
    [
        ("byol", False, False),
        ("byol", True, True),
        ("simsiam", False, True),
        ("simclr", True, False),
    ],
)
def test_only_byol_can_choose_to_normalize_its_projection(
    arrays, tmp_path, name, choice, normalized
):
    fields = {
        "objective.name": name,
        "objective.normalize_projection": choice,
    }
    model = build(arrays, tmp_path, **fields)
    layers = {layer.name for layer in model.projector.layers}
    assert ("output_norm" in layers) == normalized


@pytest.mark.parametrize(
    "name,multiplier", [("byol", 3.0), ("simsiam", 3.0), ("simclr", 1.0)]
)
def test_the_predictor_gets_its_learning_rate(
    arrays, tmp_path, name, multiplier
):
    fields = {
        "objective.name": name,
        "objective.predictor_lr_multiplier": 3.0,
    }
    model = build(arrays, tmp_path, **fields)
    assert model.get_config()["predictor_lr_multiplier"] == multiplier


@pytest.mark.parametrize("name", ["byol", "moco_v3", "simsiam"])
def test_the_predictor_can_be_switched_off(arrays, tmp_path, name):
    model = build(
        arrays,
        tmp_path,
        **{
            "objective.name": name,
            "objective.predictor": False,
            "heads.predictor_hidden_size": 5,
        },
    )
    assert model.predictor.variables == []


def test_the_fields_of_a_method_reach_it(arrays, tmp_path):
    fields = {"invariance": 2.0, "variance": 3.0, "covariance": 4.0}
    model = build(
        arrays,
        tmp_path,
        **{"objective.name": "vicreg"},
        **{f"objective.{key}": value for key, value in fields.items()},
    )
    assert {key: model.get_config()[key] for key in fields} == fields


@pytest.mark.parametrize("tau,moved", [(0.0, 1.0), (1.0, 0.0)])
def test_no_average_and_a_random_target_are_overrides(
    arrays, tmp_path, tau, moved
):
    model = build(
        arrays,
        tmp_path,
        **{"objective.tau": tau, "objective.tau_schedule": "constant"},
    )
    before = model.target_encoder.get_layer("stem_conv").kernel.numpy()
    views = np.random.default_rng(0).random((2, 16, 12, 12, 3), np.float32)
    model.pretrain_step(tuple(views))
    online = model.encoder.get_layer("stem_conv").kernel.numpy()
    np.testing.assert_allclose(
        model.target_encoder.get_layer("stem_conv").kernel,
        moved * online + (1 - moved) * before,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_where_it_is_from_and_is_possible(name):
    module = importlib.import_module(f"configs.cifar10_{name}")
    config = module.get_config()
    builders.check(config)
    assert config.objective.name == name
    assert IMAGE.views(config, CentreView(32))
    text = " ".join(module.__doc__.split())
    assert f"--config=cifar10_{name}" in text
    assert "Not measured here." in text
    assert "reports" in text or "published" in text.lower()


@pytest.mark.parametrize(
    "field,value",
    [
        ("objective.name", "simclrr"),
        ("objective.temperature", 0.0),
        ("objective.margin", -0.1),
        ("objective.margin", 4.1),
        ("objective.off_diagonal_weight", -1.0),
        ("objective.loss_scale", 0.0),
        ("objective.invariance", -1.0),
        ("objective.variance", -1.0),
        ("objective.covariance", -1.0),
        ("objective.tau_schedule", "linear"),
        ("objective.target_init", "zeros"),
        ("heads.hidden_size", -1),
        ("heads.projection_size", -1),
        ("heads.projector_layers", 1),
        ("heads.predictor_hidden_size", -1),
    ],
)
def test_an_impossible_value_is_refused_by_name(arrays, field, value):
    config = tiny_config(arrays, **{field: value})
    with pytest.raises(ValueError, match=rf"{field} must be .*\. Received: "):
        builders.check(config)
