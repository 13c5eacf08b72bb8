"""`export.py` as a user starts it."""

import pytest

from tests.support.scripts import assert_one_clear_line, run_script


@pytest.mark.parametrize(
    "flags,told", [([], "--to"), (["--to=out"], "no encoder in")]
)
def test_a_wrong_command_ends_with_one_clear_line(tmp_path, flags, told):
    result = run_script(
        "export.py", f"--workdir={tmp_path}", *flags, cwd=tmp_path
    )
    assert_one_clear_line(result, told)
