"""Detection: objects in an image, and their boxes."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_choice, check_integer
from byol_tf.layers.neck import block, dense_levels, neck, peaks_head
from byol_tf.modalities.image.points import move_boxes
from byol_tf.tasks.centres import box_loss, focal_loss, gaussians, of_classes
from byol_tf.tasks.detected import DetectionAccumulator
from byol_tf.tasks.drawn import Mark
from byol_tf.tasks.task import Labelled, Task, head_inputs
from byol_tf.tasks.tiled import join_boxes

CORNERS = ("x0", "y0", "x1", "y1")  # columns of a CSV file
MOST = 100  # largest number of objects per image, as in COCO's AP
_SCALE = 0.125  # of the frame, so that distances start at 0.09
_BOX_WEIGHT = 2.0


class Detection(Task):
    """Predicts boxes of objects of several classes.

    For each cell of a fine feature map, the head predicts for every class
    whether an object has its centre there, and the distances to its four sides.
    A peak of the first is an object, without anchors or non-maximum
    suppression. Two objects of a class with centres in neighbouring cells
    become one.

    Targets and outputs are fractions of the letterboxed square. Targets are
    `boxes`, float32 `[n, most, 4]` (left, top, right, bottom; NaN for none),
    `classes`, int32 `[n, most]`, -1 for none, `crowd`, int32, and `areas`,
    float32, in pixels, of the same shape; `side`, float32 `[n]`, the longer
    side in pixels; `extent`, float32 `[n, 2]`, width and height of the image;
    `known`, int32 `[n]`.

    Args:
        columns: names of the classes.
        ids: ids of the classes in COCO's JSON; (): 1, 2, ...
        confidence: lowest score of shown predictions.
        most: largest number of predicted objects per image.
        only: names of the classes to predict; (): all.

    References: Zhou et al. 2019, "Objects as points"; Liu et al. 2020,
    "Training-time-friendly network" (TTFNet).
    """

    name = "detection"
    metric = "ap"
    signature = "detect"
    percent = True
    whole_images = True
    side = 256
    view = {  # noqa: RUF012
        "area": (0.3, 1.0),
        "aspect": (0.75, 4 / 3),
        "flip": 0.5,
        "jitter": 0.8,
    }
    moves_with_image = True
    mixable = False
    clip_norm = 5.0

    def __init__(
        self,
        columns: Sequence[str],
        ids: Sequence[int] = (),
        confidence: float = 0.3,
        most: int = MOST,
        only: Sequence[str] = (),
    ):
        super().__init__(columns)
        self._excess = 0, 0  # images above `most`, largest number
        self.most = check_integer("most", most, 1)
        self.only = tuple(only)
        for name in self.only:
            check_choice("classes", name, self.columns)
        if not 0 <= confidence < 1:
            raise ValueError(
                "`confidence` must be in [0, 1). "
                f"Received: confidence={confidence}"
            )
        self.confidence = float(confidence)
        self.ids = tuple(map(int, ids)) or tuple(
            range(1, len(self.columns) + 1)
        )

    @classmethod
    def of(cls, labelled: Labelled, confidence: float = 0.3) -> "Detection":
        """Makes the task from the classes of the training boxes.

        Raises:
            ValueError: if there are no boxes.
        """
        boxes = labelled.boxes
        if boxes is None or not len(boxes.labels):
            raise ValueError(
                f"detection needs boxes, and {labelled.examples.name} has "
                "none; put train.json (COCO) beside the images, or use the "
                "layouts of YOLO (data.yaml, images, labels) or VOC "
                "(Annotations, JPEGImages, ImageSets)"
            )
        task = cls(boxes.names, boxes.ids, confidence)
        counts = np.bincount(boxes.images)
        task._excess = int((counts > task.most).sum()), int(counts.max())
        return task

    def targets(self, labelled: Labelled) -> dict[str, np.ndarray]:
        boxes = labelled.boxes
        count = len(boxes.sizes)
        order = np.argsort(boxes.images, kind="stable")
        images = boxes.images[order]
        per_image = np.bincount(images, minlength=count)
        starts = np.cumsum(per_image) - per_image
        slot = np.arange(len(images)) - starts[images]
        shape = (count, max(per_image.max(initial=0), 1))
        sides = boxes.sizes.max(axis=1).astype(np.float64)

        def scatter(values, empty):
            rows = np.full((*shape, *values.shape[1:]), empty, np.float64)
            rows[images, slot] = values[order]
            return rows

        corners = scatter(boxes.corners, np.nan) / sides[:, None, None]
        return {
            "boxes": corners.astype(np.float32),
            "classes": scatter(boxes.labels, -1).astype(np.int32),
            "crowd": scatter(boxes.crowd, 0).astype(np.int32),
            "areas": scatter(boxes.areas, 0).astype(np.float32),
            "side": sides.astype(np.float32),
            "extent": (boxes.sizes / sides[:, None]).astype(np.float32),
            "known": boxes.known.astype(np.int32),
        }

    def known(self, targets) -> np.ndarray:
        """Returns whether labels can be used; no objects is a label too."""
        return targets["known"] > 0

    def strata(self, targets) -> np.ndarray:
        """Returns the rarest class of each image; empty images are a class."""
        classes, count = targets["classes"], len(self.columns)
        counts = np.bincount(classes[classes >= 0], minlength=count)
        rank = np.argsort(np.argsort(counts, kind="stable"))
        ranks = np.where(classes >= 0, rank[classes], count)
        rarest = np.append(np.argsort(counts, kind="stable"), count)
        return rarest[ranks.min(axis=1)]

    def consumes(self, levels: Mapping[str, int]) -> tuple[str, ...]:
        return dense_levels(levels)

    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """Gives `heat`, logits `[batch, rows, columns, classes]`, and
        `distances` to the sides, `[batch, rows, columns, 4]`."""
        inputs = head_inputs(specs)
        maps = neck(inputs)
        convolved = keras.layers.Conv2D(4, 1, dtype="float32")(block(maps))
        positive = keras.layers.Activation("softplus", dtype="float32")
        scaled = keras.layers.Rescaling(
            _SCALE, dtype="float32", name="distances"
        )
        outputs = {
            "heat": peaks_head(maps, len(self.columns), "heat"),
            "distances": scaled(positive(convolved)),
        }
        return keras.Model(inputs, outputs, name="head")

    def loss(self, targets: Mapping, outputs: Mapping) -> tf.Tensor:
        """Computes focal loss of centres and GIoU loss of boxes, per object."""
        rows, columns, classes = outputs["heat"].shape[1:]
        labels = tf.where(targets["crowd"] > 0, -1, targets["classes"])
        valid = (labels >= 0) & ~tf.math.is_nan(targets["boxes"][..., 0])
        boxes = tf.where(valid[..., None], targets["boxes"], 0.0)
        bells = gaussians(boxes, valid, rows, columns)
        target_heat = of_classes(bells, tf.where(valid, labels, -1), classes)
        count = tf.reduce_sum(tf.cast(valid, tf.float32), axis=1)
        count = tf.maximum(count, 1.0)
        centre_losses = focal_loss(target_heat, outputs["heat"])
        corners = _corners(outputs["distances"])
        box_losses = box_loss(boxes, bells, corners)
        return (centre_losses + _BOX_WEIGHT * box_losses) / count

    def move(self, targets: Mapping, where: Mapping) -> dict:
        boxes = move_boxes(targets["boxes"], where)
        is_outside = tf.math.is_nan(boxes[..., 0])
        classes = tf.where(is_outside, -1, targets["classes"])
        return {**targets, "boxes": boxes, "classes": classes}

    def decode(
        self, outputs: Mapping, origin: Mapping | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns `boxes` `[batch, most, 4]`, `scores`, `classes`, `count`.

        Small maps give fewer than `most`. Scores are descending; `count` is the
        number of scores of at least `confidence`. With `origin`, boxes are in
        pixels of the whole image.
        """
        # Of logits, since the highest probabilities are all rounded to 1.
        heat = outputs["heat"]
        _, rows, columns, classes = heat.shape
        peaks = tf.nn.max_pool2d(heat, 3, 1, "SAME")
        heat = tf.where(heat >= peaks, tf.sigmoid(heat), 0.0)
        if self.only:
            heat *= tf.constant([float(n in self.only) for n in self.columns])
        cells = rows * columns * classes
        scores, index = tf.math.top_k(
            tf.reshape(heat, [-1, cells]), min(self.most, cells)
        )
        corners = tf.reshape(
            _corners(outputs["distances"]), [-1, rows * columns, 4]
        )
        boxes = tf.gather(corners, index // classes, axis=1, batch_dims=1)
        limit = tf.ones([1, 1, 4])
        if origin is not None:
            size = tf.cast(origin["size"], tf.float32)[:, None]
            boxes *= tf.reduce_max(size, -1, keepdims=True)
            limit = tf.concat([size, size], axis=-1)
        # A score of 0 is no peak, or of a class that is not wanted.
        is_confident = (scores >= self.confidence) & (scores > 0)
        return {
            "boxes": tf.clip_by_value(boxes, 0.0, limit),
            "scores": scores,
            "classes": index % classes,
            "count": tf.reduce_sum(tf.cast(is_confident, tf.int32), axis=1),
        }

    def as_decoded(
        self, targets: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        classes = targets["classes"]
        return {
            "boxes": np.where(classes[..., None] < 0, np.nan, targets["boxes"]),
            "scores": (classes >= 0).astype(np.float32),
            "classes": classes,
            "count": np.full(len(classes), classes.shape[1]),
        }

    def in_squares(
        self, decoded: Mapping[str, np.ndarray], side: int
    ) -> Mapping[str, np.ndarray]:
        return {**decoded, "boxes": decoded["boxes"] / side}

    def joined(
        self, decoded: Mapping[str, np.ndarray], places: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        keys = ("boxes", "scores", "classes")
        merged = join_boxes(
            *(decoded[key] for key in keys), places, self.confidence
        )
        objects = {k: v[: self.most] for k, v in zip(keys, merged, strict=True)}
        objects["count"] = (objects["scores"] >= self.confidence).sum()
        return objects

    def words(self, decoded: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns `names`, string `[batch, most]`, of the classes."""
        names = tf.constant(list(self.columns))
        return {"names": tf.gather(names, decoded["classes"])}

    def rows(self, decoded: Mapping[str, np.ndarray]) -> list[list[dict]]:
        """Returns a row per confident object, for each image."""
        keys = ("boxes", "scores", "classes", "count")
        images = zip(*(decoded[key] for key in keys), strict=True)
        return [
            [
                self._row(box, score, label)
                for box, score, label in zip(
                    boxes[:count], scores, labels, strict=False
                )
            ]
            for boxes, scores, labels, count in images
        ]

    def _row(self, box, score, label):
        corners = dict(zip(CORNERS, map(float, box), strict=True))
        return {
            "label": self.columns[label],
            "score": float(score),
            **corners,
        }

    def marks(
        self, rows: Sequence[Mapping], width: int, height: int
    ) -> list[Mark]:
        """Returns a box per row with class and, for a prediction, score."""
        return [
            Mark(
                tuple(row[key] for key in CORNERS),
                row["label"]
                if row["score"] == 1.0  # a true box
                else f"{row['label']} {row['score']:.2f}",
                self.columns.index(row["label"]),
            )
            for row in rows
        ]

    def results(self, decoded: Mapping[str, np.ndarray]) -> list[list[dict]]:
        """Returns all objects, including low scores, which AP needs."""
        keys = ("boxes", "scores", "classes")
        return [
            [
                {
                    "category_id": self.ids[label],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "score": score,
                }
                for (x0, y0, x1, y1), score, label in zip(
                    *(values.tolist() for values in image), strict=True
                )
                if score > 0
            ]
            for image in zip(*(decoded[key] for key in keys), strict=True)
        ]

    def guesses(self) -> list[str]:
        """Warns if images have more objects than can be predicted."""
        images, largest = self._excess
        if not images:
            return []
        return [
            f"{images} training images have more than {self.most} objects, up "
            f"to {largest}: all are learned, but at most {self.most} per image "
            "are predicted and evaluated, as in COCO's AP. Cut such images "
            "into parts to find the others."
        ]

    def accumulator(self) -> "DetectionAccumulator":
        return DetectionAccumulator(self.columns, self.confidence)

    def options(self) -> dict[str, object]:
        return {
            "ids": list(self.ids),
            "confidence": self.confidence,
            "most": self.most,
            "only": list(self.only),
        }


def _corners(distances):
    """Returns boxes `[batch, rows, columns, 4]` as fractions of the square."""
    _, rows, columns, _ = distances.shape
    y = (tf.range(rows, dtype=tf.float32)[:, None] + 0.5) / rows
    x = (tf.range(columns, dtype=tf.float32)[None] + 0.5) / columns
    left, top, right, bottom = tf.unstack(distances, axis=-1)
    return tf.stack([x - left, y - top, x + right, y + bottom], axis=-1)
