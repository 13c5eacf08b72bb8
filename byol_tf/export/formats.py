"""Writes every export format, and loads the files again."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.export import (
    freeze,
    saved_model,
    signatures,
    to_litert,
    to_onnx,
    verify,
)
from byol_tf.export.quiet import quiet
from byol_tf.export.verify import TIMED, ExportedModel
from byol_tf.modalities.signature import Source

REPRESENTATIONS, PROBABILITIES = "representations", "probabilities"


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What to export, and how.

    Attributes:
        encoder: returns representations.
        classifier: None, or a fine-tuned model.
        decode: see `signatures.make_module`.
        precisions: precisions of LiteRT.
        samples: stored rows, to measure int8 ranges on.
        threads: threads of ONNX Runtime and LiteRT in comparisons.
        metadata: texts to store in ONNX files.
    """

    encoder: Source
    classifier: Source | None
    decode: Callable | None
    precisions: Sequence[str]
    samples: np.ndarray
    threads: int
    metadata: Mapping[str, str]

    @functools.cached_property
    def plain_encoder(self) -> Source:
        """Returns the encoder in float32, as other runtimes compute it."""
        return _in_float32(self.encoder)

    @functools.cached_property
    def plain_classifier(self) -> Source | None:
        """Returns it in float32; None if it is cropped and not of classes."""
        if self.classifier is None:
            return None
        whole = self.classifier.sizes.get("whole")
        sequences = self.decode and self.classifier.task.sequences
        if self.decode and not (whole or sequences):
            return None
        return _in_float32(self.classifier)

    @property
    def plain_decode(self) -> Callable | None:
        """`decode` without beam search, which other runtimes lack."""
        if not self.decode or not self.classifier.task.sequences:
            return self.decode
        return type(self.classifier.task)(self.classifier.classes).decode

    def in_rows(self, classifier: Source) -> Source:
        """Returns a classifier with all predictions as one row of numbers."""

        def model(batch, training):
            return verify.in_rows(self._decoded(classifier, batch))

        return dataclasses.replace(classifier, model=model)

    def predict(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the classifier's predictions by name, for stored rows."""
        prepared = self.classifier.preprocessor(self.classifier.batch(rows))
        decoded = self._decoded(self.classifier, prepared)
        return {name: np.asarray(value) for name, value in decoded.items()}

    def _decoded(self, classifier, batch):
        outputs = classifier.model(batch, training=False)
        if not self.decode:
            return {classifier.task.prediction: outputs}
        origin = None
        if classifier.sizes.get("whole"):  # stored rows are squares
            count, *sides = tf.unstack(tf.shape(batch)[:3])
            origin = {"size": tf.tile([sides[::-1]], [count, 1])}
        return self.decode(outputs, origin)


def _in_float32(source):
    return dataclasses.replace(source, model=freeze.in_float32(source.model))


class WrittenFormat(NamedTuple):
    """The files in a folder.

    Attributes:
        exports: each loaded again, with the model that it should equal.
        signatures: descriptions of inputs and outputs, see
            `signatures.describe`.
    """

    exports: list[tuple[ExportedModel, Source]]
    signatures: dict


def write_saved_model(plan: Plan, folder: pathlib.Path) -> WrittenFormat:
    """Writes a SavedModel, see `signatures.make_module`."""
    parts = plan.encoder, plan.classifier
    module, calls = signatures.make_module(*parts, plan.decode)
    with quiet():
        saved_model.save(module, calls, folder)
    names = signatures.OF_TASKS & set(calls)
    predictions = dict.fromkeys(names, plan.classifier)
    encoder, *classifiers = saved_model.load(folder, plan.encoder, predictions)
    exports = [(encoder, plan.encoder)]
    if classifiers:
        reference = plan.in_rows(plan.classifier)
        exports += [(exported, reference) for exported in classifiers]
    return WrittenFormat(exports, signatures.describe(calls, *parts))


def write_onnx(plan: Plan, folder: pathlib.Path) -> WrittenFormat:
    """Writes `model.onnx`, and `classifier.onnx` if there is a classifier."""
    parts = [("encoder", "model", REPRESENTATIONS, plan.plain_encoder)]
    if plan.plain_classifier:
        parts.append(
            ("classifier", "classifier", PROBABILITIES, plan.plain_classifier)
        )
    exports, descriptions = [], {}
    for name, stem, output, source in parts:
        path = folder / f"{stem}.onnx"
        metadata = dict(plan.metadata)
        if source.classes:
            metadata["classes"] = json.dumps(list(source.classes))
        decode = plan.plain_decode if name == "classifier" else None
        join = _join_rows if decode else None
        to_onnx.save(source, name, output, path, metadata, decode)
        title = "onnx" if name == "encoder" else f"onnx {name}"
        exported = to_onnx.load(path, source, plan.threads, title, join)
        exports.append((exported, plan.in_rows(source) if decode else source))
        descriptions[path.name] = _describe(source, output, decode)
    return WrittenFormat(exports, descriptions)


def _join_rows(results):
    return verify.in_rows(results).numpy()


def write_litert(plan: Plan, folder: pathlib.Path) -> WrittenFormat:
    """Writes `model_<precision>.tflite` for each precision.

    Also writes `classifier_float32.tflite` for a detector, keypoints or a
    transcriber. In float16 a detector of 96 pixels lost 7 points of AP.
    """
    source = plan.plain_encoder
    paths = {p: folder / f"model_{p}.tflite" for p in plan.precisions}
    to_litert.save(source, REPRESENTATIONS, paths, plan.samples)
    exports = [
        (to_litert.load(path, source, precision, plan.threads), source)
        for precision, path in paths.items()
    ]
    description = _describe(source, REPRESENTATIONS)
    descriptions = {path.name: description for path in paths.values()}
    if plan.decode and plan.plain_classifier:
        source = plan.plain_classifier
        path = folder / "classifier_float32.tflite"
        to_litert.save_decoded(source, path, plan.plain_decode)
        load = functools.partial(to_litert.load, path, source, "float32")
        exports.append((load(plan.threads, _join_rows), plan.in_rows(source)))
        descriptions[path.name] = _describe(source, "", plan.plain_decode)
        other_precisions = [p for p in plan.precisions if p != "float32"]
        if other_precisions:
            print(
                "The classifier is written only in float32, since in "
                f"{' or '.join(other_precisions)} places and letters would be "
                "off."
            )
    return WrittenFormat(exports, descriptions)


def write_keras(plan: Plan, folder: pathlib.Path) -> WrittenFormat:
    """Writes `encoder.keras` with `preprocessor.json`, as in a run folder."""
    path = folder / "encoder.keras"
    plan.encoder.save(folder, path.stem)
    with quiet():
        model = keras.saving.load_model(path, compile=False)
    loaded = dataclasses.replace(plan.encoder, model=model)
    extract = FeatureExtractor(model, loaded.preprocessor, TIMED)
    exported = ExportedModel(
        "keras",
        path.stat().st_size,
        lambda rows: extract(loaded.batch(rows)),
    )
    shape = ", ".join(str(n or "n") for n in model.input_shape)
    description = {
        "inputs": {"batch": f"float32 [{shape}], prepared"},
        "outputs": {REPRESENTATIONS: f"float32 [n, {model.output_shape[-1]}]"},
    }
    return WrittenFormat([(exported, plan.encoder)], {path.name: description})


def _describe(source, output, decode=None):
    _, signature = freeze.signature(source)
    if decode:
        specs = freeze.frozen(source, output, decode).structured_outputs
        outputs = signatures.words_of(specs)
    else:
        outputs = {output: f"float32 [n, {source.model.output_shape[-1]}]"}
    return {"inputs": dict(signature.words), "outputs": outputs}


SAVED_MODEL = "saved_model"
WRITERS: dict[str, Callable[[Plan, pathlib.Path], WrittenFormat]] = {
    SAVED_MODEL: write_saved_model,
    "onnx": write_onnx,
    "litert": write_litert,
    "keras": write_keras,
}
_LIBRARIES = {
    "onnx": to_onnx.check_installed,
    "litert": to_litert.check_installed,
}


def check_formats(formats: Sequence[str]) -> None:
    """Raises a ValueError for an unknown format, or a missing library."""
    for name in formats:
        if name not in WRITERS:
            raise ValueError(
                f"--format must be some of {','.join(WRITERS)}. "
                f"Received: {name!r}"
            )
        _LIBRARIES.get(name, lambda: None)()
    if not formats or len(set(formats)) < len(formats):
        raise ValueError(
            f"--format must name each format once. Received: {list(formats)}"
        )
