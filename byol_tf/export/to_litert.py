"""Models as LiteRT (TensorFlow Lite) files, and those under its runtime."""

import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from byol_tf.export.form import Form
from byol_tf.export.freeze import frozen_parts, signature
from byol_tf.export.join_litert import EXTRA, join
from byol_tf.export.quiet import converting, quiet
from byol_tf.extras import require
from byol_tf.modalities.signature import Source

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
    source: Source,
    output: str,
    paths: Mapping[str, str | os.PathLike],
    rows: np.ndarray,
) -> None:
    """Writes a model with its preparation, a file for each precision.

    The preparation computes in float32 always, and so do input and output.
    "float16" halves the weights; "int8" computes the model in 8 bits.

    Args:
        source: a model that computes in float32, see `freeze.in_float32`.
        output: name of the result.
        paths: of the files, by precision.
        rows: stored rows `[n, ...]`, on which the ranges of the 8 bits are
            measured.

    Raises:
        ValueError: in one line, if LiteRT has no counterpart of the model.
    """
    with converting("encoder", "LiteRT"):
        head, function = frozen_parts(source, output)
        head = _convert(head)

    def samples():
        for row in rows:
            yield [source.preprocessor(tf.constant(row[None]))]

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


def load(
    path: str | os.PathLike, source: Source, precision: str, threads: int
) -> Form:
    """Loads a LiteRT file of representations for the comparison.

    Args:
        path: of the file.
        source: what it was made of.
        precision: that it was converted to.
        threads: that one call uses.
    """
    runtime = require("ai_edge_litert.interpreter", EXTRA)
    with quiet():
        interpreter = runtime.Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
        call = interpreter.get_signature_runner()

    taken, entry = signature(source)

    def encode(rows: np.ndarray) -> np.ndarray:
        (vectors,) = call(**{taken: entry.of_rows(rows)}).values()
        return np.array(vectors)  # not the runtime's own memory

    size = pathlib.Path(path).stat().st_size
    return Form(f"litert {precision}", size, encode, precision)
