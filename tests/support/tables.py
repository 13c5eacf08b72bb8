"""Labels in tables, for the tests of tasks, and tables that were written."""

import csv

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.label_table import LabelTable
from byol_tf.tasks.task import Labelled


def with_table(**columns) -> Labelled:
    """Unlabelled images with a table of these columns."""
    count = len(next(iter(columns.values())))
    pixels = np.zeros((count, 2, 2, 1), np.uint8)
    paths = [f"{i}.png" for i in range(count)]
    images = Examples(pixels, np.full(count, -1, np.int32), name="photos")
    return Labelled(images, LabelTable(paths, columns))


def in_folders(labels, folders) -> Labelled:
    """Images with labels by sub-folder, without a table."""
    labels = np.array(labels, np.int32)
    pixels = np.zeros((len(labels), 2, 2, 1), np.uint8)
    return Labelled(Examples(pixels, labels, folders, "photos"))


def rows_of(path):
    """Every row of a CSV file by the names of its columns."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_csv(path):
    """Every line of a CSV file, with the header."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
