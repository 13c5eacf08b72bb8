"""Compares exported models with the Keras model they were made from."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from byol_tf.checks import check_number
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.knn import knn_accuracy
from byol_tf.export.judged import Judge, Predict
from byol_tf.modalities.signature import Source

TIMED = 64  # batch size of the throughput measurement


class Labelled(NamedTuple):
    """Stored rows `[n, ...]` with labels, int `[n]`, all known."""

    rows: np.ndarray
    labels: np.ndarray


class Samples(NamedTuple):
    """Rows to compare on.

    Attributes:
        rows: stored rows `[n, ...]`, compared one by one.
        files: contents of the files that the rows come from, or none.
        folds: for kNN: pairs of voting rows and query rows.
    """

    rows: np.ndarray
    files: Sequence[bytes] = ()
    folds: Sequence[tuple[Labelled, Labelled]] = ()


@dataclasses.dataclass(frozen=True)
class ExportedModel:
    """An export that was loaded again, in any format.

    Attributes:
        name: name in tables and messages, such as "litert float16".
        bytes_on_disk: size of all its files.
        encode: any number of stored rows `[n, ...]` to float32 `[n, d]`.
        precision: precision of the weights, which selects the tolerance.
        encode_files: the contents of files to float32 `[n, d]`, or None if it
            takes no files.
        as_files: from stored rows to equal files, or None.
        predict: for a fine-tuned model: stored rows to predictions by name.
    """

    name: str
    bytes_on_disk: int
    encode: Callable[[np.ndarray], np.ndarray]
    precision: str = "float32"
    encode_files: Callable[[Sequence[bytes]], np.ndarray] | None = None
    as_files: Callable[[np.ndarray], Sequence[bytes]] | None = None
    predict: Predict | None = None


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """Tolerances of representations.

    Attributes:
        max_difference: relative to the largest value.
        min_cosine: cosine between the vectors of an image.
    """

    max_difference: float
    min_cosine: float


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the comparison.

    `verify` in `configs/export.py` explains the fields.
    """

    images: int
    batch: int
    repeats: int
    neighbours: int
    temperature: float
    seed: int
    max_knn_loss: float
    min_cosine_files: float
    float32: Tolerance
    float16: Tolerance
    int8: Tolerance

    def __post_init__(self):
        for field in ("images", "batch", "repeats", "neighbours"):
            check_number(f"verify.{field}", getattr(self, field), 1)
        check_number("verify.temperature", self.temperature, 1e-6)


class Comparison:
    """Compares exports of one encoder, all on the same samples.

    Without labelled samples there is no kNN.

    Args:
        encoder: encoder to compare the exports with.
        samples: samples to compare on.
        settings: settings.
        judge: judge of the fine-tuned model in the exports, if there is one.
        predict: that model in Keras, see `ExportedModel.predict`.
    """

    def __init__(
        self,
        encoder: Source,
        samples: Samples,
        settings: Settings,
        judge: Judge | None = None,
        predict: Predict | None = None,
    ):
        self._encoder = encoder
        self.settings = settings
        self._extractors = {}
        self._samples = samples
        extract = self._extractor(encoder, settings.batch)
        self._judge = judge
        metric = judge.measure(predict) if judge else None
        self.keras = {
            "knn": self._knn(extract),
            "timing": self._time_keras(),
            "metric": None if metric is None else judge.about(metric, metric),
        }

    def measure(
        self, exported: ExportedModel, reference: Source | None = None
    ) -> dict:
        """Compares and times an export.

        Args:
            exported: the export.
            reference: model it should equal, if not the encoder itself: the
                encoder in another precision, or the classifier.

        Returns:
            JSON values. `by_signature`: results of `compare` for "images", and
            for an export that takes files also for "bytes" (the same pixels as
            files) and "files" (the original files, if any). Then `precision`,
            `bytes_on_disk`, `timing`, and `knn` with both accuracies: None
            without labels or for probabilities; `metric` of the fine-tuned
            model's task, or None.
        """
        reference = reference or self._encoder
        extract = self._extractor(reference, self.settings.batch)
        rows = self._samples.rows
        expected = extract(rows)
        comparisons = {"images": compare(expected, exported.encode(rows))}
        timing = self._time(exported.encode, rows)
        for kind, files in self._files(exported).items():
            comparisons[kind] = compare(expected, exported.encode_files(files))
            if "files" not in timing:
                timing["files"] = self._time(exported.encode_files, files)
        return {
            "precision": exported.precision,
            "bytes_on_disk": exported.bytes_on_disk,
            "by_signature": comparisons,
            "knn": None
            if reference.classes
            else self._knn_comparison(exported),
            "timing": timing,
            "metric": self._metric(exported) if reference.classes else None,
        }

    def _metric(self, exported):
        keras = self.keras["metric"]
        if keras is None or exported.predict is None:
            return None
        value = self._judge.measure(exported.predict)
        return self._judge.about(value, keras["exported"])

    def _extractor(self, entry, batch):
        """Returns an extractor, traced once per model and batch size."""
        key = id(entry.model), batch
        if key not in self._extractors:
            extract = FeatureExtractor(entry.model, entry.preprocessor, batch)
            self._extractors[key] = lambda rows: extract(entry.batch(rows))
        return self._extractors[key]

    def _files(self, exported):
        """Returns rows written as files, and their original files."""
        files_by_kind = {}
        if exported.as_files:
            files_by_kind["bytes"] = exported.as_files(self._samples.rows)
        if exported.encode_files and len(self._samples.files):
            files_by_kind["files"] = self._samples.files
        return files_by_kind

    def _knn_comparison(self, exported):
        if self.keras["knn"] is None:
            return None
        size = self.settings.batch

        def encode(rows):
            starts = range(0, len(rows), size)
            parts = [exported.encode(rows[s : s + size]) for s in starts]
            return np.concatenate(parts)

        bank, _ = self._samples.folds[0]
        return {
            "exported": self._knn(encode),
            "keras": self.keras["knn"],
            "k": self._neighbours(bank),
            "bank": len(bank.rows),
            "queries": sum(len(q.rows) for _, q in self._samples.folds),
        }

    def _knn(self, encode):
        """Returns the kNN accuracy over all queries."""
        folds = self._samples.folds
        if not folds:
            return None
        hits = sum(
            len(queries.rows) * self._accuracy(encode, bank, queries)
            for bank, queries in folds
        )
        return hits / sum(len(queries.rows) for _, queries in folds)

    def _accuracy(self, encode, bank, queries):
        vectors = [encode(part.rows) for part in (bank, queries)]
        if not all(np.isfinite(part).all() for part in vectors):
            return float("nan")  # `check` refuses NaN
        return knn_accuracy(
            vectors[0],
            bank.labels,
            vectors[1],
            queries.labels,
            num_classes=1 + max(max(p.labels) for p in (bank, queries)),
            k=self._neighbours(bank),
            temperature=self.settings.temperature,
        )

    def _neighbours(self, bank):
        return min(self.settings.neighbours, len(bank.rows))

    def _time_keras(self):
        one = self._extractor(self._encoder, 1)
        many = self._extractor(self._encoder, TIMED)
        return self._time(
            lambda rows: (one if len(rows) == 1 else many)(rows),
            self._samples.rows,
        )

    def _time(self, encode, inputs):
        repeats = self.settings.repeats
        batch = [inputs[i % len(inputs)] for i in range(TIMED)]
        if isinstance(inputs, np.ndarray):
            batch = np.stack(batch)
        return {
            "latency_ms": 1000 * _seconds(encode, inputs[:1], repeats),
            "images_per_second": TIMED / _seconds(encode, batch, repeats),
        }


def check(name: str, numbers: Mapping, settings: Settings) -> None:
    """Raises a ValueError if results of `measure` exceed a tolerance.

    Args:
        name: name of the export.
        numbers: result of `Comparison.measure`.
        settings: settings with the tolerances.
    """
    problem = ""
    for kind, row in numbers["by_signature"].items():
        tolerance = getattr(settings, numbers["precision"])
        if kind == "files":
            tolerance = Tolerance(np.inf, settings.min_cosine_files)
        difference, cosine = row["largest_difference"], row["smallest_cosine"]
        # Written so that NaN is refused.
        if not (
            cosine >= tolerance.min_cosine
            and difference <= tolerance.max_difference
        ):
            problem = (
                f"by {kind}, smallest cosine {cosine:.6f} (tolerated "
                f"{tolerance.min_cosine:g}), largest difference "
                f"{difference:.2g} (tolerated {tolerance.max_difference:g})"
            )
    if (knn := numbers["knn"]) and not problem:
        loss = knn["keras"] - knn["exported"]
        if not loss <= settings.max_knn_loss:
            problem = (
                f"kNN accuracy {100 * knn['exported']:.2f} % against "
                f"{100 * knn['keras']:.2f} % (tolerated: "
                f"{100 * settings.max_knn_loss:g} points less)"
            )
    if (metric := numbers.get("metric")) and metric["percent"] and not problem:
        loss = metric["keras"] - metric["exported"]
        if not loss <= settings.max_knn_loss:
            problem = (
                f"{metric['name']} {100 * metric['exported']:.2f} % against "
                f"{100 * metric['keras']:.2f} % (tolerated: "
                f"{100 * settings.max_knn_loss:g} points less)"
            )
    if problem:
        advice = "see verify in configs/export.py"
        if name in ("litert float16", "litert int8"):
            advice += ", or leave it out: --config.litert.precisions=float32"
        raise ValueError(
            f"{name} differs from the encoder and was removed: {problem}; "
            f"{advice}"
        )


def compare(expected: np.ndarray, actual: np.ndarray) -> dict:
    """Compares two arrays `[n, d]`; returns JSON values.

    `largest_difference` is relative to the largest value.
    """
    expected, actual = (np.asarray(a, np.float64) for a in (expected, actual))
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    products = np.sum(expected * actual, axis=1)
    equal = np.all(expected == actual, axis=1)  # also for two zero vectors
    divisors = np.where(lengths > 0, lengths, 1.0)
    cosine = np.where(equal, 1.0, products / divisors)
    largest = max(float(np.abs(expected).max()), np.finfo(np.float32).tiny)
    return {
        "largest_difference": float(np.abs(expected - actual).max()) / largest,
        "smallest_cosine": float(cosine.min()),
        "images": len(expected),
    }


def in_rows(outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns all numbers of outputs by name as float32 `[n, d]`.

    For boxes: the `scores`, and mean and deviation of the boxes, weighted by
    squared scores, since rounding decides about boxes with low scores and about
    the order of nearly equal ones. For labels of frames: their probabilities,
    and the labels weighted by how far these are above a half, since rounding
    decides below that.
    """
    if "frames" in outputs:
        probabilities = outputs["probabilities"]
        labels = tf.cast(outputs["frames"], tf.float32)
        labels *= tf.maximum(2 * probabilities - 1, 0.0)
        outputs = {"labels": labels, "probabilities": probabilities}
    if "scores" in outputs:
        scores, boxes = outputs["scores"], outputs["boxes"]
        weights = tf.maximum(scores, 1e-9)[..., None] ** 2
        mean, variance = tf.nn.weighted_moments(boxes, 1, weights)
        outputs = {"scores": scores, "mean": mean, "std": variance**0.5}
    columns = [
        tf.cast(tf.reshape(value, [tf.shape(value)[0], -1]), tf.float32)
        for _, value in sorted(outputs.items())
        if value.dtype != tf.string
    ]
    return tf.concat(columns, axis=1)


def _seconds(encode: Callable, inputs, repeats: int) -> float:
    durations = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        encode(inputs)
        durations.append(time.perf_counter() - start)
    return statistics.median(durations[1:])  # the first one is a warm-up
