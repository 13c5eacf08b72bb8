"""A run goes on as the same run, or says in what it is another one."""

import pytest

from byol_tf.runs import config as run_config
from byol_tf.runs.identity import FREE, RunIdentity, matters
from configs import base

SETTINGS = {
    "epochs": 10,
    "optimizer.base_lr": 0.4,
    "augment.area": (0.1, 1.0),
    "data.dir": "/a",
}


def identity(data="abc", accept=False, **changed):
    fields = {key.replace("__", "."): value for key, value in changed.items()}
    return RunIdentity({**SETTINGS, **fields}, lambda: data, accept)


def kept():
    """As a checkpoint gives it back: JSON has no tuples."""
    state = identity().state()
    state["settings"]["augment.area"] = [0.1, 1.0]
    return state


def test_the_same_run_goes_on():
    identity().set_state(kept())


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"optimizer__base_lr": 0.9}, r"optimizer\.base_lr \(0\.4, now 0\.9\)"),
        ({"augment__area": (0.2, 1.0)}, r"augment\.area"),
        ({"data": "xyz"}, r"training data \('abc', now 'xyz'\)"),
    ],
)
def test_another_one_is_refused_by_what_differs(changed, told):
    with pytest.raises(ValueError, match=told + r".*--accept_changes"):
        identity(**changed).set_state(kept())


def test_a_flag_allows_it_with_a_line(caplog):
    identity(data="xyz", accept=True).set_state(kept())
    assert "training data" in caplog.text


def test_a_longer_run_on_data_that_moved_is_the_same():
    identity(epochs=20, data__dir="/b").set_state(kept())


def test_a_checkpoint_of_an_earlier_release_says_nothing():
    identity(data="xyz").set_state({})


def test_a_field_that_a_later_release_adds_is_no_difference():
    identity(new__field=3).set_state(kept())


def test_the_data_are_read_when_they_are_compared_alone():
    RunIdentity(SETTINGS, lambda: 1 / 0).set_state({})


@pytest.mark.parametrize(
    "field, free", [("data.cache_gb", True), ("faults.action", True),
                    ("seed", False), ("augment.size", False)],
)  # fmt: skip
def test_what_matters(field, free):
    assert matters(field) != free


def given(**changed):
    config = base.get_config()
    config.update(changed)
    return config


def test_the_command_line_may_change_what_does_not_matter(tmp_path, caplog):
    run_config.save_config(given(), tmp_path)
    longer = run_config.config_of_run(
        given(epochs=200), tmp_path, base.get_config(), accept=FREE
    )
    assert longer.epochs == 200 and "epochs (100, now 200)" in caplog.text


@pytest.mark.parametrize(
    "accept, changed", [((), {"epochs": 200}), (FREE, {"seed": 3})]
)
def test_the_command_line_may_not_change_what_does(tmp_path, accept, changed):
    run_config.save_config(given(), tmp_path)
    with pytest.raises(ValueError, match=r"now .*--workdir alone"):
        run_config.config_of_run(
            given(**changed), tmp_path, base.get_config(), accept=accept
        )
