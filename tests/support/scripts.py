"""Starts the scripts as a user does."""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

# Overrides that make a training of `configs/quickstart.py` a matter of seconds.
TINY = (
    *("epochs=1", "batch_size=40", "optimizer.warmup_epochs=0.0"),
    *("precision=float32", "data.source=arrays", "augment.size=12"),
    *("augment.jitter=0.0", "augment.blur=(0.0,0.0)"),
    *("augment.solarize=(0.0,0.0)", "encoder.blocks=(1,)"),
    *("encoder.widths=(4,)", "encoder.mean=()", "encoder.std=()"),
    *("heads.hidden_size=8", "heads.projection_size=4"),
    *("monitor.samples=40", "monitor.every_epochs=1", "evaluate.draws=2"),
)

ROOT = pathlib.Path(__file__).parents[2]
TIMEOUT = 300  # seconds

# A process that has imported TensorFlow is copied for every script: that saves
# the import of each.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.warm"])


def run_script(name: str, *flags, cwd=ROOT) -> subprocess.CompletedProcess:
    """What a script of the repository did, with its output as text."""
    command = [str(ROOT / name), *map(str, flags)]
    with tempfile.TemporaryDirectory() as folder:
        process = start_script(name, *flags, folder=folder, cwd=cwd)
        process.join(TIMEOUT)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(command, TIMEOUT)
        texts = [
            (pathlib.Path(folder) / output).read_text(errors="replace")
            for output in ("out", "err")
        ]
        return subprocess.CompletedProcess(command, process.exitcode, *texts)


def start_script(name: str, *flags, folder, cwd=ROOT):
    """A process of a script; its output goes to `out` and `err` in `folder`."""
    command = [str(ROOT / name), *map(str, flags)]
    outputs = [f"{folder}/out", f"{folder}/err"]
    process = CONTEXT.Process(target=_run, args=(command, str(cwd), *outputs))
    process.start()
    return process


def _run(command, cwd, stdout, stderr):
    for output, path in ((1, stdout), (2, stderr)):
        redirect(output, path)
    os.chdir(cwd)
    run_here(command)


def redirect(output: int, path: str, append: bool = False) -> None:
    """Writes what goes to a file descriptor of this process to a file."""
    begin = os.O_APPEND if append else os.O_TRUNC
    os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | begin), output)


def run_here(command: list[str]) -> None:
    """Runs a script and its arguments in this process."""
    sys.path.insert(0, str(ROOT))
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")


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
