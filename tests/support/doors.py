"""Runs commands that end before TensorFlow is imported.

Each is a copy of a process that has imported the libraries of the flags, and
nothing of this repository: that saves most of the time of a start.
"""

import functools
import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile

from tests.support.scripts import ROOT, redirect

LIBRARIES = ("absl.app", "absl.logging", "ml_collections.config_flags")
LIBRARIES += ("numpy", "yaml")
SECONDS = 60  # until a command is killed


def run(*words, cwd, environment) -> subprocess.CompletedProcess:
    """What `python WORDS` did, with its output as text.

    Args:
        *words: a file or folder, `-m` and a module or `-c` and a program;
            then the arguments.
        cwd: where.
        environment: all variables, PYTHONPATH among them.
    """
    words, server = list(map(str, words)), _server()
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"{folder}/{number}" for number in (1, 2)]
        request = [words, str(cwd), dict(environment), outputs]
        print(json.dumps(request), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        texts = [pathlib.Path(path).read_text() for path in outputs]
    return subprocess.CompletedProcess(words, status, *texts)


@functools.cache
def _server():
    """The process that is copied; it ends with this one."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _copies():
    """Forks for every request; returns it in the copy."""
    for line in sys.stdin:
        if not (child := os.fork()):
            return json.loads(line)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, flush=True)
    sys.exit()


def _become(words, cwd, environment, outputs):
    for number, path in enumerate(outputs, start=1):
        redirect(number, path)
    # As in a terminal; a runner in the background may ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(SECONDS)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    program, *arguments = words
    fakes = [p for p in environment.get("PYTHONPATH", "").split(":") if p]
    here = program in ("-m", "-c")
    first = cwd if here else os.path.dirname(program)
    sys.path[:1] = [first, *fakes]
    if program == "-c":
        sys.argv = ["-c", *arguments[1:]]
        exec(arguments[0], {"__name__": "__main__"})
    elif program == "-m":
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    _become(*_copies())
