"""A training that learns nothing, for tests of what starts trainings.

    python fake_train.py field=value ... FOLDER

It goes on where an earlier start ended. Fields: `epochs`, `seconds` of each,
`quality` (its kNN accuracy at the end), `fail` (ends with an error), `early`
(ends without a result), `start` (weights that it began with, of a kNN accuracy
of 0.4), `seed`, which adds to the linear accuracy.
"""

import json
import pathlib
import sys
import time

WORDS = ("fail", "early", "start")


def main(*arguments):
    *overrides, folder = arguments
    folder = pathlib.Path(folder)
    fields = {"epochs": 2, "seconds": 0, "quality": 0.5, "seed": 0}
    for override in overrides:
        key, value = override.split("=", 1)
        fields[key] = value if key in WORDS else float(value)
    print("started")
    if fields.get("fail"):
        sys.exit(f"error: `fail` must be empty. Received: {fields['fail']}")
    metrics = folder / "metrics.jsonl"
    done = len(metrics.read_text().splitlines()) if metrics.exists() else 0
    epochs = int(fields["epochs"])
    for epoch in range(done + 1, epochs + 1):
        time.sleep(fields["seconds"])
        line = {
            "step": 10 * epoch,
            "epoch": float(epoch),
            "seconds": 60.0 * epoch,
            "knn_accuracy": fields["quality"] * epoch / epochs,
            "projection_std": 0.7,
        }
        with open(metrics, "a") as file:
            file.write(json.dumps(line) + "\n")
    if fields.get("early"):
        print("stopped at step 3")
        return
    after = {
        "knn_accuracy": fields["quality"],
        "linear_accuracy": fields["quality"] + 0.1 * fields["seed"],
        "effective_rank": 12.0,
        "feature_std": None,
    }
    result = {
        "before": {"knn_accuracy": 0.4},
        "after": after,
        "start": fields.get("start", ""),
        "stopped": "complete_collapse" if fields["quality"] == 0 else None,
        "training_seconds": 60.0 * epochs,
    }
    (folder / "train.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
