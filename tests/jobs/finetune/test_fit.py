"""One training: the best weights, early stop, and the same bits again."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.jobs.finetune.fit import Fitted, Targets, best_setting, fit, score
from byol_tf.jobs.finetune.settings import Setting
from byol_tf.jobs.finetune.trainer import FineTuner, Weights
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.resnet import ResNet
from byol_tf.modalities.image.supervised import SupervisedAugment
from byol_tf.modalities.image.view import View
from byol_tf.tasks.classification import Classification
from tests.support.finetuning import make_settings

SHAPE = (6, 6, 1)
SPEC = tf.TensorSpec([None, *SHAPE])


SETTINGS = make_settings(
    batch_size=8, epochs=1, min_steps=12, max_steps=12, eval_every=3, patience=4
)


def examples(count, seed):
    """Noisy images of two classes that differ in their left half."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 2
    images = rng.integers(0, 120, (count, *SHAPE), np.uint8)
    images[labels == 1, :, :3] += 60
    return Targets(
        Examples(images, labels), np.eye(2, dtype=np.float32)[labels]
    )


@pytest.fixture(scope="module")
def tuner():
    keras.utils.set_random_seed(0)
    view = View(
        6, area=(0.5, 1.0), jitter=0.0, grayscale=0.0, blur=0.0, flip=0.0
    )
    encoder = ResNet(SHAPE, blocks=(1,), widths=(4,))
    dropout = keras.layers.Dropout(0.1)
    encoder = keras.Model(encoder.input, dropout(encoder.output))
    task = Classification(("dark", "light"))
    return FineTuner(
        encoder, task, SPEC, CentreView(6), SETTINGS, view.draw_with_where
    )


@pytest.fixture(scope="module")
def start(tuner):
    return Weights(tuner.encoder.get_weights(), tuner.new_head(0))


def run(tuner, start, settings=SETTINGS, rate=2.0, **options):
    return fit(
        tuner,
        start,
        examples(20, seed=0),
        options.pop("validation", examples(10, seed=1)),
        settings=settings,
        setting=Setting(rate, 0.0),
        **{"seed": 0, "whole": True, **options},
    )


def judged(tuner, weights):
    tuner.restore(weights)
    validation = examples(10, seed=1)
    return tuner.judge(*validation, 4)


def test_the_weights_are_those_of_the_best_look(tuner, start, monkeypatch):
    looks = []

    def look(*_):
        # As if the second of four looks were the best.
        looks.append(tuner.weights())
        return {"accuracy": (0.5, 0.9, 0.9, 0.1)[len(looks) - 1], "loss": 1.0}

    monkeypatch.setattr(tuner, "judge", look)
    fitted = run(tuner, start)
    assert (fitted.step, fitted.steps, len(looks)) == (6, 12, 4)
    assert fitted.metrics["accuracy"] == 0.9
    for kept, then in zip(
        fitted.weights.encoder, looks[1].encoder, strict=True
    ):
        np.testing.assert_array_equal(kept, then)
    for kept, then in zip(fitted.weights.head, looks[1].head, strict=True):
        np.testing.assert_array_equal(kept, then)


def test_what_is_told_of_the_weights_is_true_of_them(tuner, start):
    fitted = run(tuner, start)
    found = judged(tuner, fitted.weights)
    assert found == pytest.approx(fitted.metrics, abs=1e-6)


def test_of_equal_metrics_the_lower_loss_is_better(tuner, start, monkeypatch):
    losses = iter((3.0, 2.0, 1.0, 1.5))
    monkeypatch.setattr(
        tuner, "judge", lambda *_: {"accuracy": 1.0, "loss": next(losses)}
    )
    assert run(tuner, start).step == 9


def test_it_stops_when_nothing_gets_better(tuner, start, monkeypatch):
    monkeypatch.setattr(
        tuner, "judge", lambda *_: {"accuracy": 1.0, "loss": 1.0}
    )
    settings = dataclasses.replace(SETTINGS, patience=2)
    told = []
    fitted = run(tuner, start, settings, on_steps=told.append)
    assert (fitted.step, fitted.steps) == (3, 9)
    assert sum(told) == 12


def test_a_training_that_diverges_stops_without_metrics(tuner, start):
    fitted = run(tuner, start, rate=1e30)
    assert fitted.metrics == {} and fitted.steps < 12
    assert fitted.score == (-np.inf, -np.inf)


def test_a_validation_part_without_a_metric_chooses_by_the_loss(tuner, start):
    images, labels = examples(10, seed=1)
    unknown = Targets(images, np.full_like(labels, np.nan))
    fitted = run(tuner, start, validation=unknown)
    assert fitted.step and set(fitted.metrics) == {"loss"}
    best, means = best_setting({fitted.setting: [fitted]}, "accuracy")
    assert means == {best: -np.inf}
    settings = dataclasses.replace(SETTINGS, choose_by="metric")
    with pytest.raises(ValueError, match="none of 10 has one"):
        run(tuner, start, settings, validation=unknown)


@pytest.mark.parametrize("whole", [True, False])
def test_the_same_arguments_give_the_same_bits(tuner, start, whole):
    first = run(tuner, start, whole=whole)
    run(tuner, start, seed=1, rate=0.5)
    again = run(tuner, start, whole=whole)
    other = run(tuner, start, whole=whole, seed=1)
    assert first.metrics == again.metrics
    for one, two in zip(
        (*first.weights.encoder, *first.weights.head),
        (*again.weights.encoder, *again.weights.head),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
    assert (first.weights.head[0] != other.weights.head[0]).any()


def test_a_frozen_encoder_stays_bit_for_bit(tuner, start):
    run(tuner, start, whole=False)
    after = tuner.weights()
    for old, new in zip(start.encoder, after.encoder, strict=True):
        np.testing.assert_array_equal(old, new)
    assert (start.head[0] != after.head[0]).any()


def test_mixed_targets_reach_the_loss(tuner, start, monkeypatch):
    seen = []
    step = tuner.step
    monkeypatch.setattr(
        tuner,
        "step",
        lambda images, targets, **options: (
            seen.append(targets.numpy()) or step(images, targets, **options)
        ),
    )
    run(tuner, start, augment=SupervisedAugment(mixup=1.0))
    targets = np.concatenate(seen)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert ((targets > 0.05) & (targets < 0.95)).any()


def fitted(setting, accuracy, loss=1.0):
    metrics = {"accuracy": accuracy, "loss": loss}
    pair = score(metrics, "accuracy")
    return Fitted(setting, 0, metrics, pair, Weights([], []), 1, 1, 1.0)


def test_the_setting_with_the_best_mean_over_the_seeds_is_chosen():
    settings = [Setting(rate, 0.0) for rate in (0.3, 0.1, 0.03)]
    tried = {
        setting: [fitted(setting, accuracy) for accuracy in accuracies]
        for setting, accuracies in zip(
            settings, [(0.9, 0.1), (0.6, 0.7), (0.5, 0.7)], strict=True
        )
    }
    best, means = best_setting(tried, "accuracy")
    assert best == settings[1]
    assert list(means.values()) == pytest.approx([0.5, 0.65, 0.6])


def test_settings_that_all_diverge_are_an_error_that_says_what_to_do():
    setting = Setting(0.3, 0.0)
    diverged = dataclasses.replace(
        fitted(setting, 0.5), metrics={}, score=score({}, "accuracy")
    )
    with pytest.raises(ValueError, match=r"learning rates 0\.3.*smaller"):
        best_setting({setting: [diverged]}, "accuracy")


def test_few_examples_choose_by_the_loss_and_many_by_the_metric():
    settings = make_settings()
    assert settings.chooses_by_loss(199) and not settings.chooses_by_loss(200)
    assert make_settings(choose_by="loss").chooses_by_loss(10_000)
    assert not make_settings(choose_by="metric").chooses_by_loss(2)


def test_the_step_with_the_lower_loss_is_kept_if_the_loss_chooses(
    tuner, start, monkeypatch
):
    looks = iter([(0.5, 1.0), (0.9, 3.0), (0.6, 2.0), (0.5, 0.9)])

    def judge(*_):
        accuracy, loss = next(looks)
        return {"accuracy": accuracy, "loss": loss}

    monkeypatch.setattr(tuner, "judge", judge)
    assert run(tuner, start).step == 12


def test_nan_is_the_worst_score():
    worst, bad = {"r2": np.nan, "loss": 1.0}, {"r2": -9.0, "loss": 9.0}
    assert score(worst, "r2") < score(bad, "r2")


def test_the_number_of_steps_is_that_of_the_epochs_within_the_bounds():
    settings = make_settings(batch_size=10, epochs=4, min_steps=5, max_steps=50)
    assert [settings.steps(n) for n in (3, 100, 1000)] == [5, 40, 50]


def test_the_head_alone_has_rates_of_its_own():
    settings = make_settings(
        learning_rates=(0.2, 0.1),
        head_learning_rates=(3.0,),
        weight_decays=(0.0, 0.5),
    )
    assert settings.grid("frozen") == ((3.0, 0.0), (3.0, 0.5))
    assert settings.grid("fine-tuned") == settings.grid("scratch")
    assert settings.grid("scratch")[:3] == ((0.2, 0), (0.2, 0.5), (0.1, 0))


@pytest.mark.parametrize(
    "field,value",
    [
        ("variants", ("fine-tuned", "thawed")),
        ("variants", ()),
        ("variants", "frozen"),
        ("learning_rates", ()),
        ("learning_rates", (0.1, 0.1)),
        ("learning_rates", (0.0,)),
        ("head_learning_rates", ()),
        ("weight_decays", (-1.0,)),
        ("grid_seeds", 2),
        ("max_steps", 0),
        ("validation", 1.0),
        ("batch_norm", "off"),
        ("optimizer", "adam"),
        ("warmup", 1.0),
    ],
)
def test_impossible_settings_name_their_field(field, value):
    with pytest.raises(ValueError, match=f"`{field}"):
        dataclasses.replace(SETTINGS, **{field: value})


def test_steps_are_shortened_by_one_setting():
    settings = make_settings(epochs=4, min_steps=300, max_steps=2)
    assert settings.steps(10) == settings.steps(10_000) == 2
