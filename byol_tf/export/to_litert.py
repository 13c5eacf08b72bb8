"""Models as LiteRT (TensorFlow Lite) files, and those under its runtime."""

import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from byol_tf.export.form import Form, as_floats
from byol_tf.export.freeze import IMAGES, frozen
from byol_tf.export.join_litert import EXTRA, join
from byol_tf.export.quiet import converting, quiet
from byol_tf.export.signatures import Model
from byol_tf.extras import require

PRECISIONS = ("float32", "float16", "int8")


def check_installed() -> None:
    """Raises a ValueError if a library that the export needs is missing."""
    require("ai_edge_litert.interpreter", EXTRA)


def check_precisions(precisions: str) -> tuple[str, ...]:
    """The precisions of a list with commas, or a ValueError."""
    names = tuple(name.strip() for name in precisions.split(","))
    if not set(names) <= set(PRECISIONS) or len(set(names)) < len(names):
        raise ValueError(
            "`litert.precisions` must be some of "
            f"{','.join(PRECISIONS)}. Received: {precisions!r}"
        )
    return names


def save(
    entry: Model,
    output: str,
    size: int,
    paths: Mapping[str, str | os.PathLike],
    images: np.ndarray,
) -> None:
    """Writes a model with its preparation, a file for each precision.

    The preparation computes in float32 always, and so do input and output.
    "float16" halves the weights; "int8" computes the model in 8 bits.

    Args:
        entry: a model that computes in float32, see `freeze.in_float32`.
        output: name of the result.
        size: pixels of a side that the preparation brings images to.
        paths: of the files, by precision.
        images: uint8 `[n, height, width, channels]`, on which the ranges of
            the 8 bits are measured.

    Raises:
        ValueError: in one line, if LiteRT has no counterpart of the model.
    """
    with converting("encoder", "LiteRT"):
        head = _convert(frozen(entry, IMAGES, model=False))
        function = frozen(entry, output, prepare=False, size=size)

    def samples():
        for image in images:
            yield [entry.prepare(tf.constant(image[None]))]

    for precision, path in paths.items():
        with converting("encoder", f"LiteRT {precision}"):
            tail = _convert(function, precision, samples)
            pathlib.Path(path).write_bytes(join(head, tail))


def _convert(function, precision="float32", samples=None):
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function], tf.Module()
    )
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = samples
        # With float32 at both ends, and refused if an op has no 8-bit form.
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
    return converter.convert()


def load(path: str | os.PathLike, precision: str, threads: int) -> Form:
    """Loads a LiteRT file of representations for the comparison.

    Args:
        path: of the file.
        precision: that it was converted to.
        threads: that one call uses.
    """
    runtime = require("ai_edge_litert.interpreter", EXTRA)
    with quiet():
        interpreter = runtime.Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
        call = interpreter.get_signature_runner()

    def encode(images: np.ndarray) -> np.ndarray:
        (vectors,) = call(**{IMAGES: as_floats(images)}).values()
        return np.array(vectors)  # not the runtime's own memory

    size = pathlib.Path(path).stat().st_size
    return Form(f"litert {precision}", size, encode, precision)
