"""Optional libraries: found, or asked for in one line."""

import json
import sys

import pytest

from byol_tf.checks import require


def test_a_library_that_is_there_is_given():
    assert require("json", "onnx") is json


def test_a_missing_library_is_asked_for_by_its_extra():
    with pytest.raises(ValueError, match=r"byol-tf\[onnx\].*no_such_library"):
        require("no_such_library.part", "onnx")


def test_a_library_that_cannot_be_loaded_says_why(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text(
        "raise ImportError('libmissing.so: not found\\nmore')"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(
        ValueError, match=r"libmissing\.so: not found"
    ) as raised:
        require("half_there", "serve")
    assert "\n" not in str(raised.value)
