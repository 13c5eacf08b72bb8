"""configs.presets, and what a run makes of them."""

import pytest

from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.runs.config import flatten
from configs import base
from configs.presets import FLAG, PRESETS, check, with_preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_field_of_a_preset_is_one_that_views_take(name):
    config = base.get_config()
    fields = set(flatten(config.to_dict()))
    assert {f"augment.{key}" for key in PRESETS[name]} <= fields
    with config.ignore_type():
        config.augment.update(PRESETS[name])
    views = IMAGE.views(config, CentreView(16))
    kept = set(PRESETS[name]) - {"blur", "solarize"}
    assert all(getattr(views.view1, k) == PRESETS[name][k] for k in kept)


def test_what_is_given_holds_and_the_rest_follows_the_preset(capsys):
    given = [f"{FLAG}photos", "--config.augment.hue=0.3"]
    arguments = with_preset(given)
    assert arguments[:2] == given
    assert set(arguments[2:]) == {
        "--config.augment.grayscale=0.0",
        "--config.augment.blur=(0.0, 0.0)",
        "--config.augment.solarize=(0.0, 0.0)",
    }
    assert "Preset photos: grayscale=0.0" in capsys.readouterr().out


def test_no_preset_changes_nothing():
    assert with_preset(["--config.epochs=3"]) == ["--config.epochs=3"]
    assert with_preset([FLAG]) == [FLAG]


def test_an_unknown_preset_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"photos, products.*'faces'"):
        with_preset([f"{FLAG}faces"])


def test_a_preset_that_a_file_names_is_refused_since_it_sets_nothing():
    config = base.get_config()
    check(config, [])
    config.augment.preset = "gray"
    check(config, [f"{FLAG}gray"])
    with pytest.raises(ValueError, match=f"give {FLAG}gray"):
        check(config, [])
