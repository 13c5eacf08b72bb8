"""Measures representations a second of one encoder in several runtimes."""

import pathlib
import subprocess
import sys
import tempfile

from benchmarks import report
from benchmarks.contest import (
    OURS,
    ROOT,
    Contest,
    Contestant,
    WorkerError,
    chosen,
    hold,
)

BATCH = 64
ENCODERS = {"slim": "slim", "ResNet-18": "resnet18"}


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Exports each encoder, and holds its contest."""
    results = []
    for title, encoder in ENCODERS.items():
        if options.cases in title:
            with tempfile.TemporaryDirectory() as folder:
                print(f"exporting {title} ...")
                export(encoder, pathlib.Path(folder))
                contest = contest_of(title, encoder, folder, options)
                results.append(hold(contest, options.rounds))
    return [report.table_of(result) for result in results], results


def export(encoder: str, folder: pathlib.Path) -> None:
    """Writes the files that the workers load, in another process.

    Raises:
        WorkerError: if it fails.
    """
    module = "benchmarks.workers.make_exports"
    command = [sys.executable, "-m", module, encoder, str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or [""])[-1]
        raise WorkerError(f"{encoder} cannot be exported: {last}")


def contest_of(title: str, encoder: str, folder: str, options) -> Contest:
    """Makes a contest on equal weights; PyTorch has only the same layers."""
    contestants = [
        Contestant(f"{OURS} SavedModel", "ours_embed", case={"as": "saved"}),
        Contestant(f"{OURS} Keras", "ours_embed", case={"as": "keras"}),
        Contestant("onnxruntime", "peer_onnxruntime"),
        Contestant("torch", "peer_torch_embed", options.peers_python),
    ]
    return Contest(
        f"Representations of {title}, 32 px, batch {BATCH}",
        "images/s",
        {
            "encoder": encoder,
            "folder": folder,
            "batch": BATCH,
            "seconds": options.seconds,
            "compile": not options.quick,
        },
        chosen(contestants, options.only),
    )
