"""The rule for any batch and any length."""

import math

import pytest
from ml_collections import ConfigDict

from byol_tf.jobs.pretrain import build as builders
from byol_tf.optim import scaling_rules as recipe
from configs import (
    base,
    cifar10_cpu,
    histories,
    imagenet,
    imagenet_40,
    imagenet_100,
    imagenet_300,
    imagenet_1000,
    lengths,
    photos,
    quickstart,
    speech,
    text,
)

ADAMW = [quickstart, cifar10_cpu, photos, speech, text, histories]
# Learning rate for 256, weight decay, tau at 4096: the official table.
OFFICIAL = [
    (imagenet_40, 40, 0.45, 1e-6, 0.97),
    (imagenet_100, 100, 0.45, 1e-6, 0.99),
    (imagenet_300, 300, 0.3, 1e-6, 0.99),
    (imagenet_1000, 1000, 0.2, 1.5e-6, 0.996),
]


@pytest.mark.parametrize("module,epochs,base_lr,decay,tau", OFFICIAL)
def test_presets_are_the_official_values(module, epochs, base_lr, decay, tau):
    config = module.get_config()
    builders.check(config)
    assert (config.epochs, config.batch_size) == (epochs, 4096)
    assert config.optimizer.base_lr == base_lr
    assert config.optimizer.weight_decay == decay
    assert config.optimizer.warmup_epochs == 10
    assert (config.objective.tau, config.objective.tau_batch) == (tau, 4096)
    for value in (base_lr, tau):
        assert str(value) in module.__doc__


def test_between_the_presets_the_values_lie_on_lines_of_logarithms():
    found = lengths.by_length(200)
    share = math.log(200 / 100) / math.log(300 / 100)
    assert found.base_lr == pytest.approx(
        0.45 ** (1 - share) * 0.3**share, rel=1e-5
    )
    assert found.weight_decay == 1e-6
    assert found.tau == 0.99
    assert found.warmup_epochs == 10


def test_below_the_presets_the_target_averages_over_the_same_share():
    found = lengths.by_length(10)
    assert found.tau == pytest.approx(0.97**4, rel=1e-5)
    assert (found.base_lr, found.weight_decay) == (0.45, 1e-6)
    assert found.warmup_epochs == 2.5


def test_above_the_presets_the_values_stay():
    assert lengths.by_length(5000) == lengths.PRESETS[1000]


def test_what_counts_is_how_many_images_are_seen():
    tenth = lengths.by_length(1000, lengths.IMAGENET // 10)
    assert tenth == pytest.approx(lengths.by_length(100), rel=1e-4)


@pytest.mark.parametrize("length", [(0, 1000), (10, 0)])
def test_a_length_of_nothing_is_refused(length):
    with pytest.raises(ValueError, match="positive number of epochs"):
        lengths.by_length(*length)


def test_a_configuration_takes_its_length_and_images_after_the_colon():
    config = imagenet.get_config("400,50000")
    assert config.epochs == 400
    assert config.objective.tau == lengths.by_length(400, 50_000).tau


@pytest.mark.parametrize("length", ["many", "10,few", "10,20,30", ""])
def test_a_wrong_length_is_told(length):
    with pytest.raises(ValueError, match="followed by a number of epochs"):
        imagenet.get_config(length)


def test_tau_averages_over_as_many_images_at_any_batch():
    tau = recipe.scaled_tau(0.99, 256, 4096)
    assert tau == pytest.approx(0.99937206, abs=1e-8)
    assert tau**16 == pytest.approx(0.99)  # sixteen updates of 256 images
    assert recipe.scaled_tau(0.99, 4096, 4096) == 0.99


def test_tau_without_its_batch_stays():
    assert recipe.scaled_tau(0.98, 128, 0) == 0.98


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_the_ends_of_tau_stay(tau):
    assert recipe.scaled_tau(tau, 64, 4096) == tau


def test_linear_scaling_keeps_the_decay():
    assert recipe.learning_rate_and_decay(0.2, 1e-6, 4096) == (3.2, 1e-6)


def test_root_scaling_shrinks_weights_as_much_for_each_image():
    rate, decay = recipe.learning_rate_and_decay(4e-3, 1e-2, 64, "sqrt")
    assert (rate, decay) == pytest.approx((2e-3, 5e-3))
    assert rate * decay / 64 == pytest.approx(4e-3 * 1e-2 / 256)


@pytest.mark.parametrize(
    "batch,rule,rate,decay,tau",
    [
        (4096, "linear", 7.2, 1e-6, 0.99),
        (512, "linear", 0.9, 1e-6, 0.99 ** (1 / 8)),
        (1024, "sqrt", 0.9, 2e-6, 0.99**0.25),
    ],
)
def test_the_batch_alone_changes_what_a_run_uses(batch, rule, rate, decay, tau):
    config = imagenet.get_config("100")
    config.batch_size = batch
    config.optimizer.lr_rule = rule
    optimizer = builders.optimizer(config, _Nothing(), updates=100)
    accumulated = optimizer.get_config()["learning_rate"]["config"]
    peak = accumulated["schedule"]["config"]["peak"]
    assert peak == pytest.approx(rate)
    assert optimizer.coupled_weight_decay == pytest.approx(decay)
    assert builders._tau(config, 100).base == pytest.approx(tau)


@pytest.mark.parametrize("batch", [64, 128, 512])
@pytest.mark.parametrize("module", ADAMW)
def test_recipes_with_adamw_keep_rate_decay_and_tau(module, batch):
    config = module.get_config()
    config.batch_size, config.epochs = batch, 10
    optimizer = builders.optimizer(config, _Nothing(), updates=100)
    peak = optimizer.get_config()["learning_rate"]["config"]["peak"]
    assert peak == config.optimizer.base_lr
    assert optimizer.weight_decay == config.optimizer.weight_decay
    assert builders._tau(config, 100).base == config.objective.tau


def test_without_the_fields_the_values_are_used_as_they_stand():
    config = base.get_config()
    config.batch_size = 64
    assert builders._tau(config, 100).base == config.objective.tau


@pytest.mark.parametrize(
    "field,value",
    [
        ("objective.tau_batch", -1),
        ("optimizer.lr_rule", "cubic"),
        ("peak_tflops", -1.0),
    ],
)
def test_an_impossible_value_is_refused_by_name(field, value):
    config: ConfigDict = base.get_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=field):
        builders.check(config)


class _Nothing:
    """A model without variables."""

    trainable_variables = ()
