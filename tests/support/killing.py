"""Runs `train.py` in processes of their own, and kills them."""

import os
import time
from multiprocessing.process import BaseProcess

from byol_tf.training.metrics import read_metrics
from tests.support.scripts import CONTEXT, ROOT, redirect, run_here

# Longer, where another number of kills is asked for than the usual few.
EPOCHS = 30 if "BYOL_KILLS" in os.environ else 10
STEPS = EPOCHS * 8  # of half a batch
FLAGS = {
    "config": ROOT / "configs" / "base.py",
    "config.deterministic": True,
    "config.batch_size": 16,
    "config.epochs": EPOCHS,
    "config.log_every": 7,  # no divisor of an epoch
    "config.data.source": "arrays",
    # The views that compile soonest: one image in two is solarised.
    "config.augment.area": "(1.0,1.0)",
    "config.augment.aspect": "(1.0,1.0)",
    "config.augment.flip": 0.0,
    "config.augment.jitter": 0.0,
    "config.augment.grayscale": 0.0,
    "config.augment.blur": "(0.0,0.0)",
    "config.augment.solarize": "(0.5,0.5)",
    "config.encoder.name": "slim",
    "config.encoder.blocks": "(1,)",
    "config.encoder.widths": "(8,)",
    "config.heads.hidden_size": 16,
    "config.heads.projection_size": 8,
    "config.optimizer.accumulate_steps": 2,
    "config.optimizer.warmup_epochs": 5.0,
    # As many as in a batch: no other views are compiled.
    "config.monitor.samples": 16,
    "config.monitor.every_epochs": 5,
    "config.checkpoint.every_seconds": 0.5,
    "config.evaluate.shots": 3,
    "config.evaluate.draws": 2,
}


def start(workdir, data, log) -> BaseProcess:
    """Starts `train.py` on a file of arrays, with its output in a file."""
    flags = {**FLAGS, "config.data.dir": data, "workdir": workdir}
    arguments = [f"--{key}={value}" for key, value in flags.items()]
    process = CONTEXT.Process(target=_run, args=(arguments, str(log)))
    process.start()
    return process


def _run(arguments, log):
    redirect(1, log, append=True)
    os.dup2(1, 2)
    os.chdir(ROOT)
    run_here(["train.py", *arguments])


def finish(process) -> int:
    """Waits for a process; its exit status, negative for a signal."""
    process.join(300)
    return process.exitcode


def kill_at(process, workdir, step, seconds, number) -> int | None:
    """Sends a signal a while after a step is in the metrics.

    Returns:
        Its exit status, or None if it ended before.
    """
    begin, metrics = time.time(), workdir / "metrics.jsonl"

    def reached():
        # The file is written anew at the beginning of the steps.
        if not metrics.exists() or metrics.stat().st_mtime < begin:
            return False
        lines = read_metrics(metrics)
        return bool(lines) and lines[-1]["step"] >= step

    while process.is_alive() and not reached():
        time.sleep(0.005)
    process.join(seconds)
    if not process.is_alive():
        return None
    os.kill(process.pid, number)
    return finish(process)
