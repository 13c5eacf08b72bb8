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


class Written(NamedTuple):
    """The files in a folder.

    Attributes:
        forms: each loaded again, with the model that it should equal.
        signatures: descriptions of inputs and outputs, see
            `signatures.describe`.
    """

    forms: list[tuple[ExportedModel, Source]]
    signatures: dict


def write_saved_model(plan: Plan, folder: pathlib.Path) -> Written:
    """Writes a SavedModel, see `signatures.make_module`."""
    parts = plan.encoder, plan.classifier
    module, calls = signatures.make_module(*parts, plan.decode)
    with quiet():
        saved_model.save(module, calls, folder)
    names = signatures.OF_TASKS & set(calls)
    predictions = dict.fromkeys(names, plan.classifier)
    encoder, *others = saved_model.load(folder, plan.encoder, predictions)
    forms = [(encoder, plan.encoder)]
    if others:
        reference = plan.in_rows(plan.classifier)
        forms += [(form, reference) for form in others]
    return Written(forms, signatures.describe(calls, *parts))


def write_onnx(plan: Plan, folder: pathlib.Path) -> Written:
    """Writes `model.onnx`, and `classifier.onnx` if there is a classifier."""
    parts = [("encoder", "model", REPRESENTATIONS, plan.plain_encoder)]
    if plan.plain_classifier:
        parts.append(
            ("classifier", "classifier", PROBABILITIES, plan.plain_classifier)
        )
    forms, described = [], {}
    for name, stem, output, entry in parts:
        path = folder / f"{stem}.onnx"
        metadata = dict(plan.metadata)
        if entry.classes:
            metadata["classes"] = json.dumps(list(entry.classes))
        decode = plan.plain_decode if name == "classifier" else None
        join = _joined if decode else None
        to_onnx.save(entry, name, output, path, metadata, decode)
        title = "onnx" if name == "encoder" else f"onnx {name}"
        form = to_onnx.load(path, entry, plan.threads, title, join)
        forms.append((form, plan.in_rows(entry) if decode else entry))
        described[path.name] = _describe(entry, output, decode)
    return Written(forms, described)


def _joined(results):
    return verify.in_rows(results).numpy()


def write_litert(plan: Plan, folder: pathlib.Path) -> Written:
    """Writes `model_<precision>.tflite` for each precision.

    Also writes `classifier_float32.tflite` for a detector, keypoints or a
    transcriber. In float16 a detector of 96 pixels lost 7 points of AP.
    """
    entry = plan.plain_encoder
    paths = {p: folder / f"model_{p}.tflite" for p in plan.precisions}
    to_litert.save(entry, REPRESENTATIONS, paths, plan.samples)
    forms = [
        (to_litert.load(path, entry, precision, plan.threads), entry)
        for precision, path in paths.items()
    ]
    words = _describe(entry, REPRESENTATIONS)
    described = {path.name: words for path in paths.values()}
    if plan.decode and plan.plain_classifier:
        entry = plan.plain_classifier
        path = folder / "classifier_float32.tflite"
        to_litert.save_decoded(entry, path, plan.plain_decode)
        load = functools.partial(to_litert.load, path, entry, "float32")
        forms.append((load(plan.threads, _joined), plan.in_rows(entry)))
        described[path.name] = _describe(entry, "", plan.plain_decode)
        others = [p for p in plan.precisions if p != "float32"]
        if others:
            print(
                "The classifier is written only in float32, since in "
                f"{' or '.join(others)} places and letters would be off."
            )
    return Written(forms, described)


def write_keras(plan: Plan, folder: pathlib.Path) -> Written:
    """Writes `encoder.keras` with `preprocessor.json`, as in a run folder."""
    path = folder / "encoder.keras"
    plan.encoder.save(folder, path.stem)
    with quiet():
        model = keras.saving.load_model(path, compile=False)
    loaded = dataclasses.replace(plan.encoder, model=model)
    extract = FeatureExtractor(model, loaded.preprocessor, TIMED)
    form = ExportedModel(
        "keras",
        path.stat().st_size,
        lambda rows: extract(loaded.batch(rows)),
    )
    shape = ", ".join(str(n or "n") for n in model.input_shape)
    described = {
        "inputs": {"batch": f"float32 [{shape}], prepared"},
        "outputs": {REPRESENTATIONS: f"float32 [n, {model.output_shape[-1]}]"},
    }
    return Written([(form, plan.encoder)], {path.name: described})


def _describe(entry, output, decode=None):
    _, signature = freeze.signature(entry)
    if decode:
        outputs = freeze.frozen(entry, output, decode).structured_outputs
        words = signatures.words_of(outputs)
    else:
        words = {output: f"float32 [n, {entry.model.output_shape[-1]}]"}
    return {"inputs": dict(signature.words), "outputs": words}


SAVED_MODEL = "saved_model"
WRITERS: dict[str, Callable[[Plan, pathlib.Path], Written]] = {
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
