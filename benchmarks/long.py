"""Measures rate, memory and the cost of monitors during a long run.

    python -m benchmarks long --config=benchmarks/tiny_config.py

makes 50,000 steps of a tiny model in minutes. With `--workdir` the run folder
is kept, or a finished one is examined. The rate is also given in processor
time, which other work on the machine changes less.
"""

import contextlib
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from benchmarks import machine, report
from benchmarks.contest import ROOT, end

PARTS = 10  # rows of the table, each a part of the run
PERIOD = 5.0  # seconds between two measurements of memory


class ResourceSample(NamedTuple):
    """Resources of all processes of a run at one time.

    Attributes:
        at: time of day, or seconds since the start of training.
        memory: bytes; pages that processes share count once.
        files: number of open files.
        processor: seconds of all cores so far.
    """

    at: float
    memory: int
    files: int
    processor: float


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Examines a finished run, or makes one and measures it."""
    with contextlib.ExitStack() as stack:
        workdir = options.workdir
        if not workdir:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            workdir = f"{folder}/run"
        workdir = pathlib.Path(workdir)
        finished = (workdir / "train.json").exists()
        samples = [] if finished else make_run(workdir, options)
        result = examine(workdir, samples)
    options.out.mkdir(parents=True, exist_ok=True)
    stem = report.stem_of("long", vars(options))
    draw(result, options.out / f"{stem}.png")
    return [table_of(result)], [result]


def make_run(workdir: pathlib.Path, options) -> list[ResourceSample]:
    """Runs `train.py`, and measures it every few seconds.

    Raises:
        ValueError: if it fails.
    """
    command = [sys.executable, "train.py", f"--config={options.config}"]
    command.append(f"--workdir={workdir.resolve()}")
    if options.data:
        command.append(f"--config.data.dir={options.data}")
    epochs = 1 if options.quick else options.epochs
    if epochs:
        command += [
            f"--config.epochs={epochs}",
            f"--config.optimizer.warmup_epochs={epochs / 10}",
        ]
    if options.quick:
        command.append("--config.log_every=2")
    samples = []
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        while process.poll() is None:
            samples.append(measure_process(process.pid))
            time.sleep(0.5 if options.quick else PERIOD)
    finally:
        end(process)
    if process.returncode:
        raise ValueError(f"train.py ended with status {process.returncode}")
    return samples


def measure_process(pid: int) -> ResourceSample:
    """Measures a process and its descendants now."""
    _, memory = machine.memory(pid)
    processor = machine.processor_seconds(pid)
    return ResourceSample(time.time(), memory, open_files(pid), processor)


def open_files(pid: int) -> int:
    """Counts the files that a process and its descendants have open."""
    count = 0
    for member in machine.family(pid):
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{member}/fd"))
    return count


def examine(workdir: pathlib.Path, samples: list[ResourceSample]) -> dict:
    """Computes rates and memory by parts of the run.

    Args:
        workdir: a finished run folder.
        samples: measurements of `make_run`, or none.

    Raises:
        ValueError: if the run has not ended, or is too short.
    """
    path = workdir / "train.json"
    if not path.exists():
        raise ValueError(f"{workdir} must be the folder of a finished run")
    facts = json.loads(path.read_text(encoding="utf-8"))
    path = workdir / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in lines]
    windows = windows_of(lines, facts["batch_size"])
    if len(windows) < 2:
        raise ValueError(f"{workdir} must have at least three lines of losses")
    # The file was changed last when its last line was written.
    begin = path.stat().st_mtime - lines[-1]["seconds"]
    samples = [sample._replace(at=sample.at - begin) for sample in samples]
    return {
        "data": facts["data"],
        "steps": facts["steps"],
        "batch_size": facts["batch_size"],
        "training_seconds": facts["training_seconds"],
        "monitor_seconds": facts["monitor_seconds"],
        "windows": windows,
        "looks": [sample._asdict() for sample in samples],
        "parts": parts_of(windows, samples),
    }


def windows_of(lines: list[dict], batch_size: int) -> list[dict]:
    """Computes the rate between each two lines with a loss.

    No window includes the time before the first line, such as tracing.

    Args:
        lines: lines of a `metrics.jsonl`.
        batch_size: images per step.

    Returns:
        Dicts of `step` and `seconds` at the end of a window, its `begin`,
        `images` and `rate`, and whether monitors ran in it (`monitored`).
    """
    losses = [line for line in lines if "loss" in line]
    measured = [line["step"] for line in lines if "loss" not in line]
    windows = []
    for before, after in itertools.pairwise(losses):
        steps = after["step"] - before["step"]
        seconds = after["seconds"] - before["seconds"]
        if steps > 0 and seconds > 0:
            windows.append(
                {
                    "step": after["step"],
                    "begin": before["seconds"],
                    "seconds": after["seconds"],
                    "images": steps * batch_size,
                    "rate": steps * batch_size / seconds,
                    "monitored": any(
                        before["step"] <= step < after["step"]
                        for step in measured
                    ),
                }
            )
    return windows


def parts_of(windows: list[dict], samples: list[ResourceSample]) -> list[dict]:
    """Returns rate without monitors, processor time and peaks by part."""
    count = min(PARTS, len(windows))
    edges = [round(i * len(windows) / count) for i in range(count + 1)]
    parts, begin = [], 0.0
    for first, last in itertools.pairwise(edges):
        inside = windows[first:last]
        plain = [w["rate"] for w in inside if not w["monitored"]]
        until = inside[-1]["seconds"]
        images = sum(window["images"] for window in inside)
        now = [sample for sample in samples if begin <= sample.at < until]
        parts.append(
            {
                "step": inside[-1]["step"],
                "seconds": until,
                "rate": statistics.median(plain) if plain else None,
                "processor": processor_time(samples, inside) / images
                if samples
                else None,
                "memory": max((sample.memory for sample in now), default=None),
                "files": max((sample.files for sample in now), default=None),
            }
        )
        begin = until
    return parts


def processor_time(samples: list[ResourceSample], windows: list[dict]) -> float:
    """Returns seconds of all cores during consecutive windows."""
    import numpy as np

    ends = windows[0]["begin"], windows[-1]["seconds"]
    begin, end = np.interp(
        ends,
        [sample.at for sample in samples],
        [sample.processor for sample in samples],
    )
    return float(end - begin)


def drift(values: list) -> float:
    """Returns the range of known values as a share of their median."""
    values = [value for value in values if value]
    if not values:
        return 0.0
    return (max(values) - min(values)) / statistics.median(values)


def table_of(result: dict) -> report.Table:
    """Makes the table, with a row for each part."""
    parts = result["parts"]
    rows = [
        (
            f"{part['step']:,}",
            f"{part['seconds'] / 60:.1f}",
            report.number(part["rate"]) if part["rate"] else "",
            f"{1000 * part['processor']:.3f}" if part["processor"] else "",
            f"{part['memory'] / 2**30:.2f}" if part["memory"] else "",
            str(part["files"] or ""),
        )
        for part in parts
    ]
    share = result["monitor_seconds"] / result["training_seconds"]
    rates, times = (
        drift([part[name] for part in parts]) for name in ("rate", "processor")
    )
    notes = [
        f"From the slowest part to the fastest: {rates:.1%} of the median "
        f"rate, {times:.1%} of the median processor time of an image.",
        f"Monitors: {share:.1%} of the time.",
    ]
    sizes = [part["memory"] for part in parts if part["memory"]]
    if len(sizes) > 1:
        growth = (sizes[-1] - sizes[0]) / 2**20
        notes.append(
            f"Memory from the first part to the last: {growth:+.0f} MiB."
        )
    columns = ("step", "minutes", "images/s", "processor ms an image")
    columns += ("memory, GiB", "open files")
    return report.Table(
        f"A run of {result['steps']:,} steps of {result['batch_size']} images "
        f"of {result['data']}",
        columns,
        rows,
        notes,
    )


def draw(result: dict, path: pathlib.Path) -> None:
    """Draws rate and memory over time as a PNG."""
    from matplotlib.figure import Figure

    from byol_tf.reports.drawing import BLUE, ORANGE, save_png

    figure = Figure(figsize=(7, 4), layout="constrained")
    rates, sizes = figure.subplots(2, sharex=True)
    plain = [w for w in result["windows"] if not w["monitored"]]
    minutes = [w["seconds"] / 60 for w in plain]
    rates.plot(minutes, [w["rate"] for w in plain], ".", color=BLUE, ms=3)
    rates.set(ylabel="images/s", ylim=(0, None))
    inside = [sample for sample in result["looks"] if sample["at"] >= 0]
    sizes.plot(
        [sample["at"] / 60 for sample in inside],
        [sample["memory"] / 2**30 for sample in inside],
        color=ORANGE,
    )
    sizes.set(xlabel="minutes of training", ylabel="GiB", ylim=(0, None))
    save_png(figure, path)
