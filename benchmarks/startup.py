"""Measures the time from the command to the end of the first step."""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks import pretrain, report
from benchmarks.contest import NO_PEERS, OURS, ROOT, WorkerError, end
from benchmarks.workers.marks import FILE as MARKS

POLL = 0.01  # seconds between two reads of the files
PATIENCE = 600.0
# Stages in order, with marks of the worker or files of the run folder.
STAGES = (
    ("imports", "imports"),
    ("data", "data"),
    ("model built", "built"),
    ("random encoder judged", "before.json"),
    ("first views drawn", "views.png"),
    ("step traced and compiled", "traced"),
    ("first step", "first step"),
)


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Starts each contestant in turn, several times in new processes."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for title, flags in cases(options, pathlib.Path(folder)).items():
            results.append(measure(title, flags, options))
    return [table_of(result) for result in results], results


def cases(options, folder: pathlib.Path) -> dict[str, dict]:
    """Returns the flags of each contestant, by title.

    The peer reads CIFAR-10 as arrays, which are written into `folder`.
    """
    flags_by_title = {}
    if options.cases in "quickstart":
        flags_by_title["quickstart"] = {
            OURS: ["--config=configs/quickstart.py"],
            "lightly": [f"--images={embedded()}"],
        }
    if options.cases in "cifar10_cpu" and options.data:
        arrays = folder / "cifar10.npz"
        pretrain.export(options.data, arrays)
        flags_by_title["cifar10_cpu"] = {
            OURS: [
                "--config=configs/cifar10_cpu.py",
                f"--config.data.dir={options.data}",
            ],
            "lightly": [f"--images={arrays}"],
        }
    return flags_by_title


def embedded() -> pathlib.Path:
    """Returns the file of the images that come with the package."""
    return ROOT / "byol_tf" / "data" / "embedded" / "fashion_mnist.npz"


def measure(title: str, flags: dict, options) -> dict:
    """Measures the seconds of every stage, for each start."""
    modules = {
        OURS: (sys.executable, "ours_startup"),
        "lightly": (str(ROOT / options.peers_python), "peer_startup"),
    }
    commands = {
        name: [python, "-m", f"benchmarks.workers.{module}", *flags[name]]
        for name, (python, module) in modules.items()
    }
    requested = options.only.split(",") if options.only else list(commands)
    starts, skipped = {name: [] for name in commands if name in requested}, {}
    print(f"{title}:")
    for number in range(options.rounds):
        names = [name for name in starts if name not in skipped]
        for name in names[:: -1 if number % 2 else 1]:
            try:
                starts[name].append(start(commands[name]))
                print(f"  {name}: {starts[name][-1]['total']:.1f} s")
            except (WorkerError, OSError) as error:
                skipped[name] = " ".join(str(error).split())
                print(f"  {name} is skipped: {skipped[name]}")
    return {"title": title, "starts": starts, "skipped": skipped}


def start(command: list[str]) -> dict[str, float]:
    """Starts a command, waits for its second step, and ends it.

    Returns:
        Seconds of the stages and in `total`, to the end of the first step.

    Raises:
        WorkerError: if it ends before, or takes too long.
    """
    if not pathlib.Path(command[0]).exists():
        raise WorkerError(NO_PEERS)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        begin = time.time()
        with open(folder / "stderr", "wb") as stderr:
            process = subprocess.Popen(
                [*command, f"--workdir={folder / 'run'}"],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            steps = _two_steps(process, folder, begin)
        finally:
            end(process)
        return stages(begin, _marks(folder / "run"), steps)


def stages(begin: float, marks: dict, steps: list[tuple]) -> dict[str, float]:
    """Computes the seconds of each stage.

    Args:
        begin: time of the start.
        marks: time of day by the second name of `STAGES`; some may lack.
        steps: `(time of day, seconds of training)` at the end of the first two
            steps. The first step is assumed to take as long as the second,
            after tracing and compilation.
    """
    first, second = steps
    step_seconds = min(second[1] - first[1], first[0] - begin)
    times = {**marks, "traced": first[0] - step_seconds, "first step": first[0]}
    durations, before = {}, begin
    for name, mark in STAGES:
        if mark in times:
            durations[name] = times[mark] - before
            before = times[mark]
    return {**durations, "total": first[0] - begin}


def table_of(result: dict) -> report.Table:
    """Makes the table: medians by stage, and the range of the total."""
    names = [name for name, starts in result["starts"].items() if starts]
    rows = []
    for stage in [*(name for name, _ in STAGES), "total"]:
        medians = [_median(result["starts"][name], stage) for name in names]
        if any(medians):
            rows.append([stage, *medians])
    ranges = []
    for name in names:
        totals = [durations["total"] for durations in result["starts"][name]]
        ranges.append(f"{min(totals):.1f} to {max(totals):.1f}")
    rows.append(["range of the total", *ranges])
    return report.Table(
        f"Start of {result['title']}, seconds",
        ("", *names),
        rows,
        [f"{name}: {why}." for name, why in result["skipped"].items()],
    )


def _median(starts, stage):
    seconds = [durations[stage] for durations in starts if stage in durations]
    return f"{statistics.median(seconds):.1f}" if seconds else ""


def _two_steps(process, folder, begin):
    """Waits for two lines with a loss in the metrics."""
    steps, path = [], folder / "run" / "metrics.jsonl"
    while len(steps) < 2:
        lines = path.read_text().splitlines() if path.exists() else []
        lines = [line for line in lines if line.endswith("}")]
        seconds = [json.loads(x)["seconds"] for x in lines if "loss" in x]
        # Both steps can end between two reads; the file has their times.
        now = time.time()
        while len(steps) < min(2, len(seconds)):
            steps.append((now, seconds[len(steps)]))
        if process.poll() is not None and len(steps) < 2:
            last = (folder / "stderr").read_text(errors="replace")
            last = (last.strip().splitlines() or [""])[-1]
            raise WorkerError(f"ended with {process.returncode}: {last}")
        if now - begin > PATIENCE:
            raise WorkerError(f"no step within {PATIENCE:.0f} seconds")
        time.sleep(POLL)
    return steps


def _marks(folder):
    """Returns the times of day of the worker's marks and of files."""
    marks = {}
    if (folder / MARKS).exists():
        marks = json.loads((folder / MARKS).read_text())
    for _, mark in STAGES:
        if (folder / mark).exists():
            marks[mark] = (folder / mark).stat().st_mtime
    return marks
