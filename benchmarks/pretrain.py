"""Measures whole pretrainings: images a second, accuracy and memory."""

import pathlib
import statistics
import tempfile

from benchmarks import machine, report
from benchmarks.contest import OURS, Contestant, Worker, WorkerError, chosen

BANK = 5000  # labelled images for kNN
# Labelled images for the linear classifier, and test images, by encoder.
IMAGES = {"slim": (BANK, 2000), "wide": (50_000, 10_000)}
NEIGHBOURS, TEMPERATURE = 20, 0.07
CLASSES = 10
# Ours with the peer's batch and views, whose rate compares with the peer's.
AS_PEER = f"{OURS} (views and batch of the peer)"


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Trains each contestant in turn, each seed in a new process."""
    if not options.data:
        raise ValueError(
            "pretrain needs --data, a folder of TensorFlow Datasets in which "
            "cifar10 is prepared"
        )
    contestants = [
        Contestant(OURS, "ours_pretrain"),
        Contestant(AS_PEER, "ours_pretrain", case={"as_peer": True}),
        Contestant("lightly", "peer_pretrain", options.peers_python),
    ]
    contestants = chosen(contestants, options.only)
    runs, skipped = [], {}
    with tempfile.TemporaryDirectory() as folder:
        arrays = pathlib.Path(folder) / "cifar10.npz"
        print("decoding CIFAR-10 ...")
        export(options.data, arrays)
        for seed in range(options.seeds):
            for contestant in contestants[:: -1 if seed % 2 else 1]:
                # Measured for rate and memory, so one run is enough.
                is_repeat = contestant.name == AS_PEER and seed > 0
                if contestant.name not in skipped and not is_repeat:
                    _add(runs, skipped, contestant, seed, arrays, options)
    result = {"title": title(options), "encoder": options.encoder}
    result |= {"runs": runs, "skipped": skipped}
    return [table_of(result)], [result]


def title(options) -> str:
    """Returns what is measured, in one line."""
    seconds = f"{options.budget_s:.0f} seconds of training"
    return f"CIFAR-10, {options.encoder} encoder, {seconds}"


def export(directory: str, path: pathlib.Path) -> None:
    """Writes CIFAR-10 as arrays, which all contestants read.

    Raises:
        ValueError: if it is not prepared there.
    """
    import numpy as np

    from byol_tf.modalities.image.reading import load_images

    arrays = {}
    for split in ("train", "test"):
        images = load_images("tfds", "cifar10", split, directory)
        arrays[f"x_{split}"] = images.rows
        arrays[f"y_{split}"] = images.labels
    np.savez(path, **arrays)


def one_run(
    contestant: Contestant, seed: int, arrays: pathlib.Path, options
) -> dict:
    """Trains once; returns rate, peak memory and accuracies.

    Raises:
        WorkerError: if it fails.
    """
    labelled, queries = IMAGES[options.encoder]
    features = arrays.with_name(f"{contestant.name}{seed}.npz")
    case = {
        "images": str(arrays),
        "features": str(features),
        "seed": seed,
        "batch": 256,
        "budget_s": options.budget_s,
        "encoder": options.encoder,
        "labelled": labelled,
        "queries": queries,
        **contestant.case,
    }
    with (
        Worker(contestant) as worker,
        machine.peak_memory(worker.process.pid) as peak,
    ):
        facts = worker.ask(do="prepare", case=case)
        patience = 20 * options.budget_s + 600
        answer = worker.ask(do="go", patience=patience)
        facts |= worker.ask(do="finish")
    accuracies = {
        name: measure_accuracies(features, name) for name in ("before", "after")
    }
    return {
        "name": contestant.name,
        "seed": seed,
        **answer,
        **facts,
        **{f"knn_{name}": knn for name, (knn, _) in accuracies.items()},
        **{
            f"linear_{name}": linear for name, (_, linear) in accuracies.items()
        },
        "peak": peak,
    }


def measure_accuracies(path: pathlib.Path, name: str) -> tuple[float, float]:
    """Computes kNN and linear accuracy of a worker's representations."""
    import numpy as np

    from byol_tf.evaluation.knn import knn_accuracy
    from byol_tf.evaluation.linear import ridge_classifier

    with np.load(path) as file:
        bank, labels = file[f"bank_{name}"], file["bank_labels"]
        queries, truth = file[f"queries_{name}"], file["query_labels"]
    knn = knn_accuracy(
        *(bank[:BANK], labels[:BANK], queries, truth),
        num_classes=CLASSES,
        k=NEIGHBOURS,
        temperature=TEMPERATURE,
    )
    linear = ridge_classifier(bank, labels, CLASSES)
    return knn, linear.accuracy(queries, truth)


def table_of(result: dict) -> report.Table:
    """Makes the table: a row per run, and the means of each contestant."""
    rows = []
    names = list(dict.fromkeys(run["name"] for run in result["runs"]))
    for name in names:
        runs = [run for run in result["runs"] if run["name"] == name]
        rows += [_row(f"{name}, seed {run['seed']}", [run]) for run in runs]
        if len(runs) > 1:
            rows.append(_row(f"{name}, mean", runs))
    columns = ("", "images/s", "kNN random, %", "kNN, %", "gain", "linear, %")
    columns += ("peak memory, GiB", "shared pages twice", "loss")
    labelled, queries = IMAGES[result["encoder"]]
    notes = [
        f"kNN: k = {NEIGHBOURS}, T = {TEMPERATURE}, {BANK} labelled training "
        f"images. Linear: closed form, with the labels of {labelled} training "
        f"images. {queries} test images. Memory is that of all processes, "
        "with pages that they share counted once.",
        *(f"{name}: {_variants(result, name)}." for name in names),
        *(f"{name}: {why}." for name, why in result["skipped"].items()),
    ]
    return report.Table(result["title"], columns, rows, notes)


def _variants(result, name):
    """Returns the variants that a contestant chose, in the order of runs."""
    runs = [run for run in result["runs"] if run["name"] == name]
    variants = (run.get("info", {}).get("variant", "") for run in runs)
    return " / ".join(dict.fromkeys(variants))


def _row(name, runs):
    def mean(value):
        return statistics.fmean(map(value, runs))

    before = mean(lambda run: 100 * run["knn_before"])
    after = mean(lambda run: 100 * run["knn_after"])
    losses = [
        mean(lambda run, k=k: run[k]) for k in ("first_loss", "last_loss")
    ]
    loss_fell = all(run["last_loss"] < run["first_loss"] for run in runs)
    return (
        name,
        report.number(mean(lambda run: run["units"] / run["seconds"])),
        f"{before:.1f}",
        f"{after:.1f}",
        f"{after - before:+.1f}",
        f"{mean(lambda run: 100 * run['linear_after']):.1f}",
        f"{mean(lambda run: run['peak']['pss']) / 2**30:.2f}",
        f"{mean(lambda run: run['peak']['rss']) / 2**30:.2f}",
        f"{losses[0]:.2f} to {losses[1]:.2f}"
        + ("" if loss_fell else ", not counted"),
    )


def _add(runs, skipped, contestant, seed, arrays, options):
    print(f"{contestant.name}, seed {seed} ...")
    try:
        runs.append(one_run(contestant, seed, arrays, options))
        rate = runs[-1]["units"] / runs[-1]["seconds"]
        print(f"  {rate:.0f} images/s, kNN {runs[-1]['knn_after']:.1%}")
    except WorkerError as error:
        skipped[contestant.name] = str(error)
        print(f"  {contestant.name} is skipped: {error}")
