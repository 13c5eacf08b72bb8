"""The command `system`: names, verbs and folders, before TensorFlow."""

import inspect

import pytest

from configs.systems import SYSTEMS
from tests.support import doors
from tests.support.scripts import ROOT


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_verb_is_a_function_that_takes_the_flags(name):
    module = pytest.importorskip(f"byol_tf.systems.{name}.verbs")
    for verb, flags in SYSTEMS[name].items():
        names = list(inspect.signature(getattr(module, verb)).parameters)
        assert names == ["config", "data", "run", *flags]


@pytest.mark.parametrize(
    "words,message",
    [
        (["nothing", "fit"], "`name` must be one of customer_service"),
        (["customer_service"], "`verb` must be one of fit, ask"),
        (["customer_service", "fit"], "needs --data=FOLDER"),
        (["customer_service", "ask"], "fit first: byol_tf system"),
    ],
)
def test_a_wrong_call_ends_before_tensorflow_is_imported(
    tmp_path, words, message
):
    result = start(tmp_path, words)
    assert result.returncode == 2 and message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_search_in_code_is_judged_without_being_fitted(tmp_path):
    result = start(tmp_path, ["code_search", "evaluate", "--data=."])
    assert result.stderr.splitlines() == ["imported"]


def start(folder, words):
    """Runs a command whose libraries end it with the line "imported"."""
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
    path = {"PYTHONPATH": f"{folder}:{ROOT}"}
    return doors.run(
        *("-m", "byol_tf", "system", *words, "--run=new"),
        cwd=folder,
        environment=path,
    )
