"""Runs `train.py`, and stores when imports, data and model are ready.

    python -m benchmarks.workers.ours_startup --config=... --workdir=...

It takes the flags of `train.py`.
"""

import functools
import runpy
import sys

from benchmarks.workers.marks import Marks
from configs import silence


def main() -> None:
    """Runs the script with two functions of the package timed."""
    (workdir,) = [
        flag.partition("=")[2]
        for flag in sys.argv
        if flag.startswith("--workdir=")
    ]
    marks = Marks(workdir)
    with silence.starting():
        from byol_tf.jobs.pretrain import build as builders

    marks.reached("imports")
    builders.data = _marking(builders.data, marks, "data")
    builders.pretraining = _marking(builders.pretraining, marks, "built")
    sys.argv = ["train.py", *sys.argv[1:], "--config.log_every=1"]
    runpy.run_path("train.py", run_name="__main__")


def _marking(function, marks, name):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        result = function(*args, **kwargs)
        marks.reached(name)
        return result

    return wrapped


if __name__ == "__main__":
    main()
