"""The words that a command checks first are those of the package."""

import pytest

from byol_tf.data.fractions import parse_fractions
from byol_tf.data.layout import LAYOUTS, SPLITS
from byol_tf.data.pack import STORES
from byol_tf.data.sources import LABELS, SOURCES
from byol_tf.data.store import CACHES
from byol_tf.distribute.strategy import STRATEGIES
from byol_tf.jobs.pretrain.methods import METHODS, TAU_SCHEDULES
from byol_tf.jobs.pretrain.start import NAMED
from byol_tf.modalities.image import efficientnet_lite, geometry, resnet
from byol_tf.modalities.image.plan import AUTO
from byol_tf.optim.scaling_rules import RULES
from byol_tf.runtime import PRECISIONS
from byol_tf.tasks.registry import TASKS
from byol_tf.training.health import ACTIONS
from configs import base, words


@pytest.mark.parametrize(
    "field,known",
    [
        ("precision", PRECISIONS),
        ("strategy", STRATEGIES),
        ("data.source", SOURCES),
        ("data.layout", LAYOUTS),
        ("data.labels", LABELS),
        ("data.store", STORES),
        ("data.cache", CACHES),
        ("objective.name", METHODS),
        ("objective.tau_schedule", TAU_SCHEDULES),
        ("optimizer.lr_rule", RULES),
        ("faults.action", ACTIONS),
        ("encoder.stem", resnet.STEMS),
        ("augment.resize", geometry.METHODS),
    ],
)
def test_choices_are_those_of_the_package(field, known):
    assert set({**words.CHOICES, **words.OF_IMAGES}[field]) == set(known)


def test_encoders_and_tasks_are_those_of_the_package():
    known = {*resnet.ENCODERS, efficientnet_lite.NAME, AUTO}
    assert set(words.ENCODERS) == known and set(words.TASKS) == set(TASKS)


def test_splits_and_named_weights_are_those_of_the_package():
    assert words.SPLITS == SPLITS and words.NAMED == NAMED


@pytest.mark.parametrize(
    "text",
    [
        *("1%", "0.5%", "100 %", "all", "25-per-class", "1%,,all", "0%"),
        *("100.5%", "0-per-class", "1.5-per-class", "-1%", "one", "%"),
        *("10", "0", "007", "1.5", "-3"),
    ],
)
def test_labels_are_refused_where_the_package_refuses_them(text):
    def refused(check):
        try:
            check([text])
        except ValueError:
            return True
        return False

    assert refused(words.check_labels) == refused(parse_fractions)


def test_another_modality_has_other_encoders():
    config = base.get_config()
    config.modality, config.encoder.name = "mine:IT", "of my own"
    words.check_run(config)
    config.precision = "float8"
    with pytest.raises(ValueError, match="`precision`"):
        words.check_run(config)
