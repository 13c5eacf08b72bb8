"""byol_tf.jobs.pretrain.verdict."""

import pytest

from byol_tf.evaluation.collapse import diagnose, milder_views
from byol_tf.jobs.pretrain.verdict import verdict
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.runs.config import flatten
from configs import base

BASE = base.get_config()
MILDER = milder_views(flatten(BASE.to_dict()), IMAGE.milder(BASE, (32, 32, 3)))


def numbers(knn=None, rank=100.0, **others):
    known = {} if knn is None else {"knn_accuracy": knn, "tested": 500.0}
    return {
        "feature_std": 0.6,
        "effective_rank": rank,
        "folds": 0.0,
        **known,
        **others,
    }


def said(before, after, raw=None, metrics=(), **others):
    result = {
        "before": before,
        "after": after,
        "raw": raw or {},
        "start": "",
        "stopped": None,
        "monitored": 1000,
        "epochs": 30,
        **others,
    }
    return verdict(result, metrics, MILDER)


def line(epoch, rank=100.0, **others):
    return {"epoch": epoch, "effective_rank": rank, **others}


def test_a_gain_beyond_chance_is_told_from_one_that_may_be_chance():
    text = said(
        numbers(0.2), numbers(0.37), numbers(0.36) | {"name": "raw pixels"}
    )
    assert "37.0 % get their right class" in text
    assert "17.0 points above the random encoder, more than chance" in text
    assert "+1.0 points from raw pixels may be chance" in text
    assert "augment.grayscale" in text


def test_labels_that_are_easy_without_learning_ask_for_harder_ones():
    text = said(numbers(1.0), numbers(1.0))
    assert "harder to tell apart" in text and "views.png" not in text


def test_a_loss_is_called_one_by_the_name_of_the_start():
    text = said(numbers(0.8), numbers(0.6), start="imagenet")
    assert "20.0 points below the weights as they came" in text


def test_figures_of_an_earlier_release_are_not_compared():
    text = said(numbers(0.2, tested=None), numbers(0.37))
    assert "random encoder" not in text


@pytest.mark.parametrize("knn", [None, 0.5])
def test_a_falling_rank_is_bad_and_says_what_to_change(knn):
    text = said(numbers(0.2, rank=123.0), numbers(knn, rank=39.0))
    assert "fell from 123 to 39" in text and "bad" in text
    for field in ("base_lr", "weight_decay", "grayscale", "hue"):
        assert field in text


def test_a_curve_that_rises_asks_for_more_epochs():
    metrics = [line(e, knn_accuracy=0.01 * e) for e in range(1, 31)]
    text = said(numbers(0.1), numbers(0.3), metrics=metrics)
    assert "From epoch 21 to 30" in text
    assert "+9.0 points: more epochs will probably help" in text
    assert "--config.epochs=60" in text


def test_two_measurements_are_no_curve():
    metrics = [line(e, knn_accuracy=0.1 * e) for e in range(1, 3)]
    assert "more epochs" not in said(numbers(0.1), numbers(0.3), None, metrics)


def test_a_level_curve_leads_to_fine_tuning():
    metrics = [line(e, knn_accuracy=0.3) for e in range(1, 31)]
    text = said(numbers(0.1), numbers(0.3), metrics=metrics)
    assert "levelled off" in text and "byol_tf finetune" in text


def test_without_labels_agreement_spread_and_rank_are_read():
    metrics = [line(e, agreement=0.9) for e in range(1, 31)]
    text = said(numbers(), numbers(), metrics=metrics)
    assert "no labels" in text and "0.90" in text and "Spread 0.60" in text
    assert "rank 100" in text and "byol_tf select" in text


@pytest.mark.parametrize(
    "groups, examples, sentence",
    [
        (3, 7, "7 near-duplicates among 300 training examples, in 3 groups"),
        (0, 0, "no near-duplicates among 300"),
    ],
)
def test_without_labels_near_duplicates_are_counted(groups, examples, sentence):
    found = {"groups": groups, "examples": examples, "of": 300}
    assert sentence in said(numbers(), numbers(), duplicates=found)


def test_near_duplicates_are_not_counted_where_all_is_alike():
    # Spread and rank say that already.
    found = {"groups": 1, "examples": 299, "of": 300}
    text = said(numbers(), numbers(), duplicates=found)
    assert "near-duplicates" not in text


def test_views_that_hardly_agree_are_not_called_good():
    metrics = [line(1, agreement=0.01)]
    text = said(numbers(), numbers(), metrics=metrics)
    assert "0.01 (1 = fully), low" in text and "good" not in text


def test_cross_validation_is_said():
    text = said(numbers(0.2), numbers(0.5, folds=5.0))
    assert "5-fold cross-validation" in text


def test_what_is_not_finite_is_said():
    text = said(numbers(), numbers(feature_std=float("nan")))
    assert "diverged" in text


@pytest.mark.parametrize(
    "channels, jitter, fields",
    [
        (3, 0.8, ("jitter=0.4", "hue=0.02", "grayscale=0.0", "area=0.3,1.0")),
        (3, 0.0, ("grayscale=0.0", "area=0.3,1.0")),
        (1, 0.8, ("jitter=0.4", "area=0.3,1.0")),
    ],
)
def test_only_what_changes_the_images_is_advised(channels, jitter, fields):
    config = base.get_config()
    config.augment.jitter = jitter
    entries = IMAGE.milder(config, (32, 32, channels))
    advice = milder_views(flatten(config.to_dict()), entries)
    listed = ", ".join(f"augment.{field}" for field in fields)
    assert advice == f"milder views ({listed})"


def test_the_advice_at_the_end_is_that_of_the_warning():
    found = diagnose({"effective_rank": 1.5}, stronger="augment.area")
    kept = {"stopped": found.name, "advice": found.advice}
    text = said(numbers(), numbers(rank=1.5), **kept)
    assert found.advice in text and "Strengthen" in text
    assert "milder" not in text  # the warning advises the opposite
