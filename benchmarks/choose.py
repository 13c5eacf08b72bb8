"""Accuracy with labels for chosen examples, beside labels for random ones.

    byol_tf embed RUN DATA/train --out=train.parquet
    byol_tf embed RUN DATA/test --out=test.parquet
    python -m benchmarks.choose train.parquet test.parquet

The classes are the folders' names. "Chosen" is what `byol_tf select` chooses if
nothing has a label yet; draws differ in the seed of its clustering. A ridge
classifier is fitted to the labels of either.
"""

import argparse

import numpy as np

from byol_tf.evaluation.linear import ridge_classifier
from byol_tf.search.select import select_rows
from byol_tf.search.table import Embeddings


def load(file: str) -> tuple[Embeddings, np.ndarray, np.ndarray]:
    """Reads embeddings; returns them, float32 `[n, dim]`, and class names."""
    table = Embeddings(file)
    all_rows = range(len(table))
    names = [table.path_of(row).split("/")[0] for row in all_rows]
    return table, table.rows(all_rows), np.array(names)


def main() -> None:
    flags = argparse.ArgumentParser("python -m benchmarks.choose")
    flags.add_argument("train")
    flags.add_argument("test")
    flags.add_argument("--counts", default="43,86,215,430")
    flags.add_argument("--draws", type=int, default=10)
    options = flags.parse_args()
    table, train, names = load(options.train)
    _, test, test_names = load(options.test)
    classes, labels = np.unique(names, return_inverse=True)
    truth = np.searchsorted(classes, test_names)
    no_rows = np.array([], np.int64)

    def draw_random(count, seed):
        rng = np.random.default_rng(seed)
        return rng.choice(len(train), count, replace=False)

    def select(count, seed):
        return select_rows(table, count, no_rows, seed)

    for count in map(int, options.counts.split(",")):
        for name, choose in (("random", draw_random), ("chosen", select)):
            accuracies, class_counts = [], []
            for seed in range(options.draws):
                rows = choose(count, seed)
                classifier = ridge_classifier(
                    train[rows], labels[rows], len(classes)
                )
                accuracies.append(100 * classifier.accuracy(test, truth))
                class_counts.append(len(np.unique(labels[rows])))
            print(
                f"{count} labels, {name}: {np.mean(accuracies):.1f} "
                f"± {np.std(accuracies, ddof=1):.1f} %, of "
                f"{np.mean(class_counts):.1f} classes"
            )


if __name__ == "__main__":
    main()
