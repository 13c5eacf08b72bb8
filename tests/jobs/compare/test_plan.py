"""byol_tf.jobs.compare.plan and byol_tf.jobs.overrides."""

import pytest

from byol_tf.jobs.compare.plan import plan
from byol_tf.jobs.processes import merge_overrides


def test_variants_grid_and_seeds_are_multiplied_seeds_outermost():
    runs = plan(
        [("a",), ("b", "x=1")],
        [("tau", 0.9, 0.99), ("batch_size", 64, 128)],
        (3, 4),
    )
    assert len(runs) == 2 * 2 * 2 * 2
    assert [run.seed for run in runs] == [3] * 8 + [4] * 8
    assert runs[5].variant == "b, tau=0.9, batch_size=128"
    assert runs[5].overrides == ("x=1", "tau=0.9", "batch_size=128", "seed=3")
    assert len({run.folder for run in runs}) == 16


def test_a_variants_own_overrides_win_over_the_common_ones():
    (run,) = plan([("a", "epochs=8")], [], (0,), ["epochs=4", "x=1"])
    assert run.overrides == ("epochs=8", "x=1", "seed=0")


def test_without_variants_the_base_is_run_alone():
    (run,) = plan([], [], (0,))
    assert run.variant == "base" and run.overrides == ("seed=0",)


def test_a_name_becomes_a_folder_below():
    (run,) = plan([("../no average (tau 0)",)], [], (7,))
    assert run.folder.as_posix() == "no_average_tau_0/seed7"


@pytest.mark.parametrize(
    "arguments,match",
    [
        (([("a",), ("a",)], [], (0,)), "names of variants"),
        (([("a b",), ("a_b",)], [], (0,)), "folders of variants"),
        ((["abc"], [], (0,)), "variants.*'abc'"),
        (([("a", "tau")], [], (0,)), "field=value.*'tau'"),
        (([("a", "seed=3")], [], (0,)), "`seeds` sets the seed"),
        (([("...",)], [], (0,)), "must have a letter"),
        (([], [("tau",)], (0,)), "grid.*tau"),
        (([], [], ()), "`seeds`"),
        (([], [], (1, 1)), "different"),
    ],
)
def test_what_is_no_plan_is_an_error(arguments, match):
    with pytest.raises(ValueError, match=match):
        plan(*arguments)


def test_a_value_may_have_an_equals_sign():
    assert merge_overrides(["data.dir=a=b", "x=1", "data.dir=c=d"]) == (
        "data.dir=c=d",
        "x=1",
    )
