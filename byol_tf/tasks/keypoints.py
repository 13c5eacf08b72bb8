"""Keypoints: positions of named points in an image."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_choice
from byol_tf.data.label_table import LabelTable
from byol_tf.evaluation.keypoint_accuracy import (
    correct_keypoints,
    keypoint_distances,
    object_extents,
)
from byol_tf.layers.heads import scaled_head
from byol_tf.layers.neck import (
    dense_levels,
    neck,
    peaks_head,
    with_coordinates,
)
from byol_tf.modalities.image import points as positions
from byol_tf.tasks import heatmaps, oks
from byol_tf.tasks.drawn import Mark
from byol_tf.tasks.known import huber, mean_of_known, read_numbers
from byol_tf.tasks.mirrored import describe_mirrored, is_one_sided, mirrored
from byol_tf.tasks.pose import COLUMNS, MIN_CONFIDENCE, RigidModel
from byol_tf.tasks.task import (
    VECTOR,
    Labelled,
    PredictionAccumulator,
    VectorTask,
    head_inputs,
    vector_head,
)

AXES = ("_x", "_y")
SPREAD = 0.25  # share of the side that is one unit of the loss
_WORST = 8  # images to list
HEADS = ("heatmap", "vector")
# Options of views for heatmaps.
_VIEW = {
    "area": (0.5, 1.0),
    "aspect": (0.8, 1.25),
    "flip": 0.5,
    "rotate": 10.0,
    "jitter": 0.8,
}


class Keypoints(VectorTask):
    """Predicts the points of a pose or of a face.

    The table has columns `<name>_x` and `<name>_y` for each point, as fractions
    of width and height of the image from the top left; both are empty if the
    point is hidden. Other columns are ignored.

    A heatmap per point, from a fine feature map, gives the most likely place
    and its confidence. A linear head on the vector gives only the places.

    Targets and predictions are fractions of the side of the square shown of an
    image. Targets of whole images are followed by the image's width and height
    in pixels. With `crops` the points move along, and left and right points are
    swapped in a mirrored view, see `mirrored`; without such points views are
    not mirrored. For objects cropped out of images, see `oks.COLUMNS`, those
    columns follow, and for each point whether it is labelled: `<name>_v` is
    COCO's visibility, 0 for unlabelled.

    Args:
        columns: names of the columns, `<name>_x` followed by `<name>_y`.
        pck_alpha: largest distance of a correct point: in extents of the
            object, the longer side of the box around its points; if `whole` is
            False, in sides of the square.
        crops: whether to train on random crops and flips.
        whole: whether images are shown whole, made square by `letterbox`.
            False, as in releases before 0.3: centre crops, outside of which a
            point counts as hidden.
        head: "heatmap" or "vector".
        pose: None, or the arguments of `RigidModel`: rows then have the pose of
            the object with these points.
    """

    name = "keypoints"
    metric = "pck"
    percent = True
    prediction = "points"
    whole_images = True
    side = 256
    of_objects = True
    each = "point"
    moves_with_image = True
    mixable = False

    def __init__(
        self,
        columns: Sequence[str],
        pck_alpha: float = 0.1,
        crops: bool = False,
        whole: bool = False,
        head: str = "vector",
        pose: Mapping | None = None,
    ):
        super().__init__(columns)
        self.model = RigidModel(**pose) if pose else None
        self.head_name = check_choice("task.head", head, HEADS)
        self.clip_norm = 5.0 if head == "heatmap" else 0.0
        self.whole_images = bool(whole)
        self.names = _names(self.columns)
        unknown = set(self.model.points if self.model else ()) - {*self.names}
        if unknown:
            raise ValueError(
                f"the 3-D model has a point {min(unknown)!r}, which is not "
                f"learned; there are {', '.join(self.names)}"
            )
        if self.columns != _columns(self.names):
            raise ValueError(
                "`columns` must be pairs of <name>_x and <name>_y. Received: "
                f"columns={self.columns}"
            )
        if not pck_alpha > 0:
            raise ValueError(
                "`pck_alpha` must be above 0, a share of the object's size. "
                f"Received: pck_alpha={pck_alpha}"
            )
        self.pck_alpha = float(pck_alpha)
        self.shown_whole = not crops
        self._partners, self._one_sided = mirrored(self.names), False
        has_pairs = self._partners != list(range(len(self.names)))
        self.view = dict(_VIEW) if head == "heatmap" else {}
        self.view |= {} if has_pairs else {"flip": 0.0}

    @classmethod
    def of(
        cls,
        labelled: Labelled,
        pck_alpha: float = 0.1,
        crops: bool | None = None,
        head: str = "heatmap",
    ) -> "Keypoints":
        """Makes the task from the points of the training table.

        Args:
            labelled: training images.
            pck_alpha: see the class.
            crops: see the class; None: only for heatmaps.
            head: see the class.

        Raises:
            ValueError: if there are no points, or one is always hidden.
        """
        table = _table(labelled)
        columns = _columns(_names(table.columns))
        missing = [column for column in columns if column not in table.columns]
        if missing or not columns:
            raise ValueError(
                f"keypoints need columns <name>_x and <name>_y, but "
                f"{table.name} lacks {missing[0] if missing else 'both'!r}. "
                f"Received: {', '.join(map(repr, table.columns))}"
            )
        crops = head == "heatmap" if crops is None else crops
        task = cls(columns, pck_alpha, crops, whole=True, head=head)
        targets = task.targets(labelled)[:, : len(columns)]
        visible = (~np.isnan(targets)).any(axis=0)[::2]
        if not visible.all():
            raise ValueError(
                f"the keypoint {task.names[visible.argmin()]!r} of "
                f"{table.name} is not visible in any training image; label it, "
                "or leave its columns out"
            )
        task.look_at(targets.reshape(len(targets), -1, 2))
        return task

    def look_at(self, points: np.ndarray) -> None:
        """Finds out whether poses are one-sided, as of a fixed camera.

        Views are then not mirrored, and the heatmaps know where in the image
        a cell lies. With 10 frames of a mouse held in place the median error
        fell from 119 to 11 pixels; of one that runs freely it rose by half
        with known places, and they are left out.

        Args:
            points: labelled places `[n, points, 2]`, NaN for hidden points.
        """
        self._one_sided = is_one_sided(points, self._partners)
        if self._one_sided:
            self.view["flip"] = 0.0

    def targets(self, labelled: Labelled) -> np.ndarray:
        """Returns float32 `[n, 2 * points]` in [0, 1]; NaN for hidden points.

        For whole images `[n, 2 * points + 2]`, see the class. Sizes of images
        are read from their files; others are assumed square.
        """
        table = _table(labelled)
        meaning = " (fractions of width or height, not pixels)"
        values = read_numbers(
            table, self.columns, low=0, high=1, meaning=meaning
        )
        points = values.reshape(len(values), -1, 2)
        incomplete = np.argwhere(np.isnan(points).sum(axis=-1) == 1)
        if len(incomplete):
            row, point = incomplete[0]
            raise ValueError(
                f"{table.name}: {self.names[point]}_x and "
                f"{self.names[point]}_y must both be numbers or both be "
                f"empty. Received: one of them for {table.paths[row]}"
            )
        images = labelled.examples
        sizes = np.tile(images.row_shape[1::-1], (len(points), 1))
        if images.folder:
            sizes = positions.upright_sizes(images.folder, images.paths)
            into = positions.into_square
            into = positions.into_whole if self.whole_images else into
            points = into(points, sizes)
        points = points.reshape(len(points), -1).astype(np.float32)
        if self.whole_images:
            columns = [points, sizes, *self._object_columns(table)]
            points = np.column_stack(columns).astype(np.float32)
        return points

    def _object_columns(self, table):
        """Returns where objects were cropped, and 1 for labelled points."""
        visible = [f"{name}_v" for name in self.names]
        if not {*oks.COLUMNS, *visible} <= {*table.columns}:
            return []
        return [
            read_numbers(table, oks.COLUMNS),
            read_numbers(table, visible, low=0, high=2) > 0,
        ]

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Returns whether any point is visible."""
        return super().known(targets[:, : len(self.columns)])

    def constant(self, targets: np.ndarray) -> dict[str, np.ndarray]:
        points = np.nanmedian(targets[:, : len(self.columns)], axis=0)
        return {self.prediction: points}

    def consumes(self, levels: Mapping[str, int]) -> tuple[str, ...]:
        return dense_levels(levels) if self._uses_heatmaps else (VECTOR,)

    @property
    def _uses_heatmaps(self):
        return self.head_name == "heatmap"

    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """Makes a head that returns `points`, `[batch, columns]`.

        They start near the centre. With heatmaps it returns `heat`, logits
        `[batch, rows, columns, points]`.
        """
        if self._uses_heatmaps:
            inputs = head_inputs(specs)
            maps = neck(inputs)
            if self._one_sided:
                maps = with_coordinates(maps)
            heat = peaks_head(maps, len(self.names), "heat")
            return keras.Model(inputs, {"heat": heat}, name="head")
        layer = scaled_head(len(self.columns), SPREAD, 0.5, name="columns")
        return vector_head(specs, layer, {self.prediction: "linear"})

    def loss(self, targets: tf.Tensor, outputs: Mapping) -> tf.Tensor:
        """Computes Huber's loss of both coordinates, mean over visible points.

        It is quadratic up to a quarter of the side and linear beyond, so that a
        left hand mistaken for a right one does not dominate. For heatmaps it is
        `heatmap_loss`, where a hidden point has an empty heatmap.
        """
        weights = None
        if targets.shape[1] > len(self.columns) + 2:
            weights = targets[:, -len(self.names) :]
        targets = targets[:, : len(self.columns)]
        if self._uses_heatmaps:
            heat = outputs["heat"]
            points = tf.reshape(targets, [-1, len(self.names), 2])
            bells = heatmaps.bells(points, *heat.shape[1:3])
            return heatmaps.heatmap_loss(bells, heat, weights)
        is_known = ~tf.math.is_nan(targets)
        errors = tf.where(is_known, outputs[self.prediction] - targets, 0.0)
        return mean_of_known(huber(errors / SPREAD, 1.0), is_known)

    def move(self, targets: tf.Tensor, where: Mapping) -> tf.Tensor:
        """Moves the points; a mirrored left eye is a right one."""
        points, sizes = tf.split(targets, [len(self.columns), -1], axis=1)
        points = tf.reshape(points, [-1, len(self.names), 2])
        swapped = tf.gather(points, self._partners, axis=1)
        flip = where["flip"][:, None, None]
        points = tf.where(flip, swapped, points)
        points = positions.move_points(points, where)
        points = tf.reshape(points, [-1, len(self.columns)])
        if sizes.shape[1] > 2:
            sizes, is_labelled = tf.split(sizes, [-1, len(self.names)], axis=1)
            swapped = tf.gather(is_labelled, self._partners, axis=1)
            is_labelled = tf.where(flip[..., 0], swapped, is_labelled)
            sizes = tf.concat([sizes, is_labelled], axis=1)
        return tf.concat([points, sizes], axis=1)

    def decode(
        self, outputs: Mapping, origin: Mapping | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns `points`, as fractions of the whole image if `size` is given.

        For a crop, with its `place` (left and top) in an image of size `whole`,
        fractions are of that image, and its `size` is returned too. Heatmaps
        also give `confidence`, `[batch, points]` in [0, 1].
        """
        extras = {}
        if self._uses_heatmaps:
            places, confidence = heatmaps.places(outputs["heat"])
            points = tf.reshape(places, [-1, len(self.columns)])
            extras["confidence"] = confidence
        else:
            points = outputs[self.prediction]
        if origin is not None:
            pairs = tf.reshape(points, [-1, len(self.names), 2])
            out_of = positions.out_of_square
            out_of = positions.out_of_whole if self.whole_images else out_of
            pairs = out_of(pairs, origin["size"])
            # Points in the margins of a square would lie outside.
            pairs = tf.clip_by_value(pairs, 0.0, 1.0)
            size = tf.cast(origin["size"], tf.float32)
            if "place" in origin:
                corner, whole = (
                    tf.cast(origin[name], tf.float32)
                    for name in ("place", "whole")
                )
                pairs = tf.cast(pairs, tf.float32) * size[:, None]
                pairs = (corner[:, None] + pairs) / whole[:, None]
                size = whole
            points = tf.reshape(pairs, tf.shape(points))
            if self.model or "place" in origin:
                extras["size"] = size
        return {self.prediction: points, **extras}

    def as_decoded(self, targets: np.ndarray) -> dict[str, np.ndarray]:
        points = targets[:, : len(self.columns)]
        return {self.prediction: points}

    def accumulator(self) -> "KeypointAccumulator":
        return KeypointAccumulator(self.metrics, self.prediction)

    def rows(self, decoded: Mapping[str, np.ndarray]) -> list[dict]:
        """Returns the coordinates of every point, with heatmaps confidences.

        With a 3-D model also the pose, see `pose.COLUMNS`.
        """
        rows = super().rows(decoded)
        if "confidence" in decoded:
            names = [f"{name}_confidence" for name in self.names]
            for row, confidences in zip(
                rows, decoded["confidence"], strict=True
            ):
                row |= dict(zip(names, map(float, confidences), strict=True))
        if self.model and "size" in decoded:
            for row, size in zip(rows, decoded["size"], strict=True):
                row |= self._pose(row, size)
        return rows

    def results(self, decoded: Mapping[str, np.ndarray]) -> list[list[dict]]:
        """Returns points in pixels, with each confidence and their mean.

        Predictions must have been made with `place` and `whole`, see
        `Task.of_objects`.
        """
        points = decoded[self.prediction].reshape(-1, len(self.names), 2)
        points = points * decoded["size"][:, None]
        confidence = decoded.get("confidence", np.ones(points.shape[:2]))
        triples = np.concatenate([points, confidence[..., None]], axis=-1)
        return [
            [{"keypoints": keypoints.ravel().tolist(), "score": float(score)}]
            for keypoints, score in zip(
                triples, confidence.mean(axis=1), strict=True
            )
        ]

    def _pose(self, row, size):
        """Returns the columns of the pose, empty if there is none."""
        places = {
            name: (row[f"{name}_x"] * size[0], row[f"{name}_y"] * size[1])
            for name in self.names
            if row.get(f"{name}_confidence", 1.0) >= MIN_CONFIDENCE
        }
        pose = self.model.solve(places)
        return pose.row() if pose else dict.fromkeys(COLUMNS, "")

    def marks(
        self, rows: Sequence[Mapping], width: int, height: int
    ) -> list[Mark]:
        """Returns every point with its name."""
        return [
            Mark(
                (row[f"{name}_x"] * width, row[f"{name}_y"] * height),
                name,
                index,
                row.get(f"{name}_confidence", 1.0),
            )
            for row in rows
            for index, name in enumerate(self.names)
        ]

    def metrics(
        self, targets: np.ndarray, predictions: np.ndarray
    ) -> Mapping[str, float]:
        """Computes `pck`, `mean_error`, and `pck/<name>` of every point.

        `pck` is the share of visible points predicted within `pck_alpha`, and
        `pck_half` within half of it; `mean_error` is their mean distance in
        sides. NaN for a point that is never visible. For whole images also
        `median_error_px`, in pixels.

        Raises:
            ValueError: if no point is visible.
        """
        points, sizes = np.split(targets, [len(self.columns)], axis=1)
        distances = keypoint_distances(points, predictions)
        visible = ~np.isnan(distances)
        if not visible.any():
            raise ValueError(
                f"no keypoint is visible in any of {len(targets)} images; "
                "label more images"
            )
        result = {"mean_error": float(distances[visible].mean())}
        if self.whole_images:
            pixels = distances * sizes[:, :2].max(axis=1, keepdims=True)
            result["median_error_px"] = float(np.median(pixels[visible]))
            distances = distances / object_extents(points)[:, None]
        return {
            "pck": correct_keypoints(distances, self.pck_alpha),
            "pck_half": correct_keypoints(distances, self.pck_alpha / 2),
            **result,
            **{
                f"pck/{name}": correct_keypoints(column, self.pck_alpha)
                for name, column in zip(self.names, distances.T, strict=True)
            },
        }

    def guesses(self) -> list[str]:
        if self.shown_whole:
            return []
        return [describe_mirrored(self.names, self._one_sided)]

    def options(self) -> dict[str, object]:
        return {
            "pck_alpha": self.pck_alpha,
            "crops": not self.shown_whole,
            "whole": self.whole_images,
            "head": self.head_name,
            "pose": dataclasses.asdict(self.model) if self.model else None,
        }


class KeypointAccumulator(PredictionAccumulator):
    """Collects points batch by batch, and finds the worst images."""

    def __init__(self, metrics, prediction):
        super().__init__(metrics, prediction)
        self._confidences = []

    def update(self, targets, decoded):
        super().update(targets, decoded)
        confidence = decoded.get("confidence", np.ones((len(targets), 1)))
        self._confidences.append(np.mean(confidence, axis=-1))

    def result(self):
        """Returns the metrics, with OKS-AP for objects cut out of images."""
        targets, predictions = self.arrays()
        count = predictions.shape[1]
        if targets.shape[1] <= count + 2:
            return super().result()
        side = targets[:, count : count + 2].max(axis=1)[:, None, None]
        places, true_places = (
            side * values.reshape(len(values), -1, 2)
            for values in (predictions, targets[:, :count])
        )
        origins = np.float64(targets[:, count + 2 : count + 6])
        scores = np.concatenate(self._confidences)
        oks_metrics = oks.oks_average_precision(
            places, true_places, scores, origins
        )
        return {**super().result(), **oks_metrics}

    def worst(self) -> list[tuple[int, dict]]:
        """Returns positions and mean distances (in sides) of worst images."""
        targets, predictions = self.arrays()
        points = targets[:, : predictions.shape[1]]
        distances = keypoint_distances(points, predictions)
        visible = ~np.isnan(distances)
        total = np.where(visible, distances, 0.0).sum(axis=1)
        means = total / np.maximum(visible.sum(axis=1), 1)
        order = np.argsort(-means, kind="stable")[:_WORST]
        return [(int(i), {"error": round(float(means[i]), 4)}) for i in order]


def _table(labelled: Labelled) -> LabelTable:
    if labelled.table is None:
        raise ValueError(
            f"keypoints need a file of labels for {labelled.examples.name}, "
            "with columns <name>_x and <name>_y"
        )
    return labelled.table


def _names(columns: Sequence[str]) -> tuple[str, ...]:
    """Returns names of the points, in the order of their first column."""
    names = [column[:-2] for column in columns if column.endswith(AXES)]
    return tuple(dict.fromkeys(names))


def _columns(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name + axis for name in names for axis in AXES)
