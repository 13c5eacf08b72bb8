"""A task of several outputs from a feature map, with targets that move."""

import csv

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from byol_tf.modalities.image.points import (
    into_square,
    move_points,
    out_of_square,
    upright_sizes,
)
from byol_tf.tasks.task import Task, head_inputs

MOST = 2  # spots of an image
STRIDE = 4


class Spots(Task):
    """Where the bright spots of an image are, none to two.

    Targets are `points`, float32 `[n, 2, 2]` in fractions of what is shown,
    padded with NaN, and `count`, int32 `[n]`. Outputs are `heatmap`, logits
    of the cells of the level of stride 4, and `counts`, logits.
    """

    name = "spots"
    metric = "hits"
    moves_with_image = True
    mixable = False

    @classmethod
    def of(cls, labelled):
        return cls(("x", "y"))

    def targets(self, labelled):
        columns = labelled.table.columns
        values = [
            [[columns[f"{axis}{i}"][row] or "nan" for axis in "xy"]]
            for row in range(len(labelled.table))
            for i in range(MOST)
        ]
        points = np.array(values, np.float64).reshape(-1, MOST, 2)
        examples = labelled.examples
        sizes = upright_sizes(examples.folder, examples.paths)
        points = np.float32(into_square(points, sizes))
        count = (~np.isnan(points[..., 0])).sum(axis=1, dtype=np.int32)
        return {"points": points, "count": count}

    def known(self, targets):
        return np.ones(len(targets["count"]), bool)

    def consumes(self, levels):
        return (min(levels, key=lambda n: abs(levels[n] - STRIDE)), "vector")

    def head(self, specs):
        inputs = head_inputs(specs)
        (level,) = set(specs) - {"vector"}
        cells = keras.layers.Conv2D(1, 1, dtype="float32")(inputs[level])
        counts = keras.layers.Dense(MOST + 1, dtype="float32")
        outputs = {
            "heatmap": keras.layers.Reshape(specs[level].shape[1:3])(cells),
            "counts": counts(inputs["vector"]),
        }
        return keras.Model(inputs, outputs)

    def loss(self, targets, outputs):
        """Cross entropies of the cells that have a spot, and of the count."""
        _, height, width = outputs["heatmap"].shape
        visible = ~tf.math.is_nan(targets["points"][..., 0])
        cell = tf.floor(targets["points"] * [width, height])
        cell = tf.clip_by_value(cell, 0, [width - 1.0, height - 1.0])
        index = cell[..., 1] * width + cell[..., 0]
        index = tf.cast(tf.where(visible, index, 0.0), tf.int32)
        flat = tf.nn.log_softmax(
            tf.reshape(outputs["heatmap"], [-1, height * width])
        )
        each = tf.where(visible, tf.gather(flat, index, batch_dims=1), 0.0)
        counts = tf.nn.sparse_softmax_cross_entropy_with_logits(
            targets["count"], outputs["counts"]
        )
        return counts - tf.reduce_sum(each, axis=-1)

    def move(self, targets, where):
        points = move_points(targets["points"], where)
        visible = tf.cast(~tf.math.is_nan(points[..., 0]), tf.int32)
        return {"points": points, "count": tf.reduce_sum(visible, -1)}

    def decode(self, outputs, origin=None):
        """`points`, the two likeliest cells' centres, and `count`."""
        _, height, width = outputs["heatmap"].shape
        flat = tf.reshape(outputs["heatmap"], [-1, height * width])
        cell = tf.math.top_k(flat, MOST).indices
        xy = tf.stack([cell % width, cell // width], axis=-1)
        points = (tf.cast(xy, tf.float32) + 0.5) / [width, height]
        if origin is not None:  # in pixels of the whole image
            points = out_of_square(points, origin["size"])
            points *= tf.cast(origin["size"], tf.float64)[:, None]
        count = tf.argmax(outputs["counts"], -1, output_type=tf.int32)
        return {"points": points, "count": count}

    def rows(self, decoded):
        """For each image a row for each spot."""
        return [
            [{"x": float(x), "y": float(y)} for x, y in points[:count]]
            for points, count in zip(
                decoded["points"], decoded["count"], strict=True
            )
        ]

    def accumulator(self):
        return Hits()


class Hits:
    """Share of the images with a spot whose likeliest cell is beside one."""

    def __init__(self):
        self.hits, self.images, self.batches = 0, 0, 0

    def update(self, targets, decoded):
        seen = targets["count"] > 0
        apart = targets["points"] - decoded["points"][:, :1]
        distance = np.hypot(apart[..., 0], apart[..., 1])[seen]
        self.hits += int((np.nanmin(distance, axis=1) < 0.2).sum())
        self.images += int(seen.sum())
        self.batches += 1

    def result(self):
        return {"hits": self.hits / self.images, "batches": self.batches}


def make_spots(folder, count=80, side=24):
    """Dark images with none to two bright spots, and `spots.csv`."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    with open(folder / "spots.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "x0", "y0", "x1", "y1"])
        for i in range(count):
            pixels = rng.integers(0, 60, (side, side, 3), np.uint8)
            cells = []
            for _ in range(i % (MOST + 1)):
                x, y = rng.integers(2, side - 2, 2)
                pixels[y - 2 : y + 2, x - 2 : x + 2] = 255
                cells += [x / side, y / side]
            Image.fromarray(pixels).save(folder / f"{i:03}.png")
            writer.writerow([f"{i:03}.png", *cells, *[""] * (4 - len(cells))])
    return folder
