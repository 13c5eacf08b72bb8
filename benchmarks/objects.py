"""Fine-tunes a detector on more and more labels (hours on a CPU).

    python -m benchmarks.objects --data=$HOME/BCCD --run=runs/cells

Trains fine-tuned and from scratch on 10, 25, 50 and all images, and frozen on
25 and all, with three seeds (`--task=keypoints`: without 50). Each variant
chooses its learning rate once, on 50 images (keypoints: 25). It makes 150 steps
on 10 and 25 images, else 300. Writes `objects.json` into the run folder, and
prints each finished part.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from benchmarks.contest import ROOT

GRID = (0.1, 0.03, 0.01)  # learning rates, for a batch of 256
GRID_ON = {"detection": "50", "keypoints": "25"}  # images
PARTS = (("10", 150), ("25", 150), ("50", 300), ("all", 300))
FROZEN = ("25", "all")  # parts on which the frozen encoder is tried, too
SMALL_PARTS = ("10", "25")  # too few to choose a step by, so the last is used


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    flags = argparse.ArgumentParser("python -m benchmarks.objects")
    add = flags.add_argument
    add("--data", required=True, help="folder with boxes, or train.csv")
    add("--run", required=True, help="run folder of an encoder")
    add("--task", default="detection", choices=tuple(GRID_ON))
    add("--seeds", type=int, default=3)
    add("--quick", action="store_true", help="two steps; no result")
    return flags


def command(options, labels, variant, steps, rates, seeds) -> list[str]:
    """Returns the command line of one fine-tuning."""
    rates = f"({','.join(map(str, rates))},)"
    evaluations = 1 if labels in SMALL_PARTS else 6
    return [
        *(sys.executable, "-m", "byol_tf", "finetune", options.run),
        f"--data={options.data}",
        f"--task={options.task}",
        f"--labels={labels}",
        f"--config.variants=('{variant}',)",
        f"--config.learning_rates={rates}",
        f"--config.head_learning_rates={rates}",
        f"--config.min_steps={steps}",
        f"--config.max_steps={steps}",
        f"--config.eval_every={max(steps // evaluations, 1)}",
        "--config.patience=99",
        f"--config.seeds={seeds}",
    ]


def fine_tune(options, labels, variant, steps, rates, seeds) -> dict:
    """Fine-tunes one variant; returns its part of `finetune.json`."""
    steps = 2 if options.quick else steps
    subprocess.run(
        command(options, labels, variant, steps, rates, seeds),
        cwd=ROOT,
        check=True,
    )
    file = pathlib.Path(options.run) / "finetune.json"
    (part,) = json.loads(file.read_text())["fractions"].values()
    return part["variants"][variant]


def main() -> None:
    options = parser().parse_args()
    options.run = str(pathlib.Path(options.run).resolve())
    options.data = str(pathlib.Path(options.data).resolve())
    result = {}
    for variant in ("fine-tuned", "scratch", "frozen"):
        part = GRID_ON[options.task]
        grid_result = fine_tune(options, part, variant, 300, GRID, 1)
        rates = (grid_result["learning_rate"],)
        print(f"{variant}: learning rate {rates[0]:g}", flush=True)
        for labels, steps in PARTS:
            left_out = variant == "frozen" and labels not in FROZEN
            if left_out or (labels == "50" and part != "50"):
                continue
            entry = fine_tune(
                options, labels, variant, steps, rates, options.seeds
            )
            result.setdefault(labels, {})[variant] = entry
            mean, std = entry["test"]["mean"], entry["test"]["std"] or 0.0
            print(f"{labels}, {variant}: {mean:.4f} ± {std:.4f}", flush=True)
            path = pathlib.Path(options.run) / "objects.json"
            path.write_text(json.dumps(result, indent=2))
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
