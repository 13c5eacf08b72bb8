"""The package `configs`: ours, beside another of that name."""

import importlib
import sys
import types

import pytest

from byol_tf.jobs.recipes import configs
from configs import base


@pytest.fixture(name="theirs")
def _theirs(monkeypatch):
    """A package `configs` of a user's program, which is imported."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "configs"]:
        monkeypatch.delitem(sys.modules, name)
    package, part = types.ModuleType("configs"), types.ModuleType("base")
    package.__file__ = "/somewhere/configs/__init__.py"
    monkeypatch.setitem(sys.modules, "configs", package)
    monkeypatch.setitem(sys.modules, "configs.base", part)
    return package, part


def test_ours_is_taken_and_theirs_stays(theirs):
    with configs():
        ours = importlib.import_module("configs.base")
        assert ours.__file__ == base.__file__
    assert (sys.modules["configs"], sys.modules["configs.base"]) == theirs
    assert "configs.command_line" not in sys.modules


def test_ours_is_imported_once():
    before = sys.modules["configs"]
    with configs():
        assert sys.modules["configs"] is before
    assert sys.modules["configs"] is before
