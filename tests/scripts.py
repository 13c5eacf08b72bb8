"""Starts the scripts as a user does."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def run_script(name: str, *flags, cwd=ROOT) -> subprocess.CompletedProcess:
    """What a script of the repository did, with its output as text."""
    return subprocess.run(
        [sys.executable, ROOT / name, *map(str, flags)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


def assert_one_clear_line(
    result: subprocess.CompletedProcess, told: str
) -> None:
    """The script ended with one line that tells the user what is wrong."""
    assert result.returncode == 2
    (line,) = [
        line for line in result.stderr.splitlines() if line.startswith("error:")
    ]
    assert told in line
    assert "Traceback" not in result.stderr
