"""Modalities by name."""

import sys

import pytest

from byol_tf.modalities.image.modality import IMAGE
from byol_tf.modalities.registry import load_modality, load_named
from tests.support.toy_modality import SIGNALS

NAME = "tests.support.toy_modality:SIGNALS"


class Incomplete:
    name, extensions = "smell", ()


def test_names_stand_for_members_and_objects_of_modules():
    assert load_modality("image") is IMAGE
    assert load_modality(NAME) is SIGNALS


@pytest.mark.parametrize("name", ["", "smell", ":", "os:", ".os:path"])
def test_what_is_no_name_is_refused_with_those_there_are(name):
    with pytest.raises(
        ValueError, match=r"one of image, audio, text, history, or .*:object"
    ):
        load_modality(name)


@pytest.mark.parametrize("name", ["nothing_here:A", f"{__name__}:Nothing"])
def test_what_cannot_be_imported_is_refused_by_its_name(name):
    with pytest.raises(ValueError, match=f"'{name}' cannot.*PYTHONPATH"):
        load_modality(name)


def test_parts_that_are_missing_are_named():
    with pytest.raises(ValueError, match=r"Missing: .*decode_row, decoder"):
        load_modality(f"{__name__}:Incomplete")


def test_a_file_s_name_is_imported_only_where_it_is_trusted(
    tmp_path, monkeypatch
):
    (tmp_path / "mine.py").write_text(f"from {NAME.split(':')[0]} import *")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"allow it by --config\.modality"):
        load_named("mine:SIGNALS", trusted="other:SIGNALS")
    assert "mine" not in sys.modules
    try:
        assert load_named("mine:SIGNALS", trusted="mine:SIGNALS") is SIGNALS
        assert load_named("mine:SIGNALS") is SIGNALS  # it is imported already
    finally:
        sys.modules.pop("mine", None)
