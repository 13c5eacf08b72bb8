"""configs.fields: what `--help` says of a configuration."""

import importlib
import types

import pytest

from configs import fields
from configs.command_line import FOLDER

NAMES = [
    *("base", "eval_linear", "finetune", "export", "embed", "serve"),
    *("compare", "tune"),
]
TEXT = """
def get_config():
    config.alone = 1
    # Before it,
    # in two lines.
    config.first = "#"  # behind it
    config.part = part = section()
    part.second = (
        1,  # in it
    )
    other = part.second  # no field
    config.first = 2
"""


def test_comments_stand_above_or_behind(monkeypatch):
    monkeypatch.setattr(fields.inspect, "getsource", lambda module: TEXT)
    assert fields.comments(types.ModuleType("some")) == {
        "alone": "",
        "part": "",
        "first": "Before it, in two lines. behind it",
        "part.second": "in it",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_listed_once_with_its_value(name):
    assert (FOLDER / f"{name}.py").is_file()
    config = importlib.import_module(f"configs.{name}").get_config()
    lines = [x for x in fields.lines_of(name) if x.startswith("  --config.")]
    listed = sorted(line.removeprefix("  --config.") for line in lines)
    wanted = [
        key if value is None else f"{key}={value}".replace(" ", "")
        for key, value in fields.flat(config)
    ]
    assert listed == sorted(wanted) and len(set(listed)) == len(listed)


def test_the_order_is_that_of_the_file():
    lines = "".join(fields.lines_of("base"))
    places = [
        lines.index(f"--config.{n}") for n in ("seed", "data.", "augment.")
    ]
    assert places == sorted(places)


def test_a_field_without_a_comment_is_the_exception():
    lines = fields.lines_of("base")
    names = sum(line.startswith("  --config.") for line in lines)
    assert len(lines) - names > 0.7 * names
