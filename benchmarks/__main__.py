"""Measures the package beside its peers.

    python -m benchmarks augment      two views of a batch; of JPEG files
    python -m benchmarks audio        log-mel and views of sounds
    python -m benchmarks step         one training step
    python -m benchmarks pretrain     images a second, accuracy and memory
    python -m benchmarks startup      from the command to the first step
    python -m benchmarks embed        representations a second
    python -m benchmarks detect       a detector beside keras-cv's RetinaNet
    python -m benchmarks long         a long run: rate, memory, monitors
    python -m benchmarks results      writes all of them to RESULTS.md

docs/performance.md explains what each measures.
"""

import argparse
import importlib
import os
import pathlib
import signal
import sys

from benchmarks import machine, report
from benchmarks.contest import ROOT, WorkerError

BENCHMARKS = ("augment", "step", "pretrain", "startup", "embed", "long")
BENCHMARKS += ("audio", "detect")
LEAST_ROUNDS = 5


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    flags = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=formatter
    )
    add = flags.add_argument
    add("benchmark", choices=(*BENCHMARKS, "results"))
    add("--rounds", type=int, default=LEAST_ROUNDS, help="per contest")
    add("--seconds", type=float, default=3.0, help="per contestant and round")
    add("--only", default="", help="names of contestants: ours,lightly")
    add("--cases", default="", help="part of contests' titles: 32 px")
    add("--cores", type=int, default=0, help="cores to use; 0: all")
    add("--quick", action="store_true", help="only check that it works")
    add("--out", type=pathlib.Path, default=ROOT / "benchmarks" / "results")
    add("--peers_python", default=".venv-peers/bin/python")
    add("--data", default="", help="data_dir of TFDS with cifar10")
    add("--budget_s", type=float, default=240.0, help="pretrain: training time")
    add("--seeds", type=int, default=3, help="pretrain: runs per contestant")
    add(
        "--encoder",
        choices=("slim", "wide"),
        default="slim",
        help="pretrain: wide: that of configs/cifar10_cpu.py",
    )
    add("--workdir", default="", help="long: a finished or new run folder")
    add("--config", default="configs/quickstart.py", help="long: recipe")
    add("--epochs", type=int, default=0, help="long: epochs; 0: the recipe's")
    return flags


def check(options) -> None:
    """Raises a ValueError if a flag has an impossible value."""
    if options.quick:
        options.rounds, options.seconds = 2, min(options.seconds, 0.3)
        options.budget_s = min(options.budget_s, 5.0)
        options.seeds = 1
    elif options.rounds < LEAST_ROUNDS:
        raise ValueError(
            f"--rounds must be at least {LEAST_ROUNDS}; --quick only sees "
            f"whether it works. Received: {options.rounds}"
        )
    if options.seconds <= 0 or options.budget_s <= 0 or options.seeds < 1:
        raise ValueError("--seconds, --budget_s and --seeds must be positive")


def main() -> None:
    # So that SIGTERM, too, ends the workers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(line_buffering=True)  # also in a file
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of all workers
    # As `import byol_tf` does; workers may import TensorFlow first.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    options = parser().parse_args()
    if options.benchmark == "results":
        target = ROOT / "benchmarks" / "RESULTS.md"
        names = report.assemble(options.out, target)
        print(f"{target}: {', '.join(names)}")
        return
    check(options)
    machine.use_cores(options.cores)
    about = {"machine": machine.describe(), "settings": settings(options)}
    module = importlib.import_module(f"benchmarks.{options.benchmark}")
    tables, measured = module.run(options)
    if not tables:
        raise ValueError(
            "nothing to measure: --cases must be part of the title of a table "
            f"(startup of cifar10_cpu needs --data). Received: {options.cases}"
        )
    path = report.save(options.out, options.benchmark, tables, measured, about)
    print()
    print("\n".join(map(report.markdown, tables)))
    print(f"Written: {path} and {path.with_suffix('.md').name}")


def settings(options) -> dict:
    """Returns the flags as JSON values, without paths of this machine."""
    keep = ("rounds", "seconds", "only", "cases", "cores", "quick")
    keep += ("budget_s", "seeds", "encoder", "config", "epochs")
    return {key: getattr(options, key) for key in keep}


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, WorkerError) as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
