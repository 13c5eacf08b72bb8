"""Writes models as LiteRT (TensorFlow Lite) files, and runs them."""

import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from byol_tf.checks import require
from byol_tf.export.freeze import VECTORS, frozen, frozen_parts, signature
from byol_tf.export.quiet import converting, quiet
from byol_tf.export.verify import ExportedModel
from byol_tf.modalities.signature import Source

EXTRA = "litert"  # name of the extra
PRECISIONS = ("float32", "float16", "int8")
_IDENTIFIER = b"TFL3"  # at the start of every file of the format


def check_installed() -> None:
    """Raises a ValueError if a library that the export needs is missing."""
    require("ai_edge_litert.interpreter", EXTRA)


def check_precisions(precisions: str) -> tuple[str, ...]:
    """Parses precisions separated by commas, or raises a ValueError."""
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
    """Writes a model with its preprocessing, a file per precision.

    Preprocessing, input and output are always float32. "float16" halves the
    weights; "int8" computes the model in 8 bits.

    Args:
        source: a model that computes in float32, see `freeze.in_float32`.
        output: name of the result.
        paths: paths of the files, by precision.
        rows: stored rows `[n, ...]`, to measure int8 ranges on.

    Raises:
        ValueError: if LiteRT cannot represent the model. One line.
    """
    with converting("encoder", "LiteRT"):
        head, function, marks = frozen_parts(source, output)
        head, marks = _convert(head), _convert(marks)

    def samples():
        for row in rows:
            yield [source.preprocessor(tf.constant(np.asarray(row)[None]))]

    for precision, path in paths.items():
        with converting("encoder", f"LiteRT {precision}"):
            tail = _convert(function, precision, samples)
            pathlib.Path(path).write_bytes(_join(head, tail, marks))


def save_decoded(
    source: Source, path: str | os.PathLike, decode: Callable
) -> None:
    """Writes a model with its preprocessing and decoding, in float32.

    Args:
        source: a model that computes in float32, see `freeze.in_float32`.
        path: path of the file.
        decode: see `freeze.frozen`.

    Raises:
        ValueError: if LiteRT cannot represent the model. One line.
    """
    with converting("classifier", "LiteRT"):
        model = _convert(frozen(source, "", decode))
        pathlib.Path(path).write_bytes(model)


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
        # float32 at both ends; an error if an op has no 8-bit form.
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
    return converter.convert()


def load(
    path: str | os.PathLike,
    source: Source,
    precision: str,
    threads: int,
    join: Callable | None = None,
) -> ExportedModel:
    """Loads a LiteRT file for the comparison.

    Args:
        path: path of the file.
        source: its source model.
        precision: precision it was converted to.
        threads: threads per call.
        join: see `to_onnx.load`.
    """
    runtime = require("ai_edge_litert.interpreter", EXTRA)
    with quiet():
        interpreter = runtime.Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
        call = interpreter.get_signature_runner()

    input_name, input_signature = signature(source)

    def predict(rows: np.ndarray) -> dict[str, np.ndarray]:
        results = call(**{input_name: input_signature.of_rows(rows)})
        # Copies from the runtime's own memory.
        return {key: np.array(value) for key, value in results.items()}

    def encode(rows: np.ndarray) -> np.ndarray:
        results = predict(rows)
        return join(results) if join else next(iter(results.values()))

    size = pathlib.Path(path).stat().st_size
    name = f"litert {precision}" + (" classifier" if join else "")
    return ExportedModel(name, size, encode, precision, predict=predict)


def _join(head: bytes, model: bytes, marks: bytes) -> bytes:
    """Joins the three parts of `frozen_parts` in one file.

    In one piece, int8 would also round the positions of crops to 8 bits, which
    makes images useless. Joined, each part keeps its own precision.
    """
    schema = require("ai_edge_litert.schema_py_generated", EXTRA)
    flatbuffers = require("flatbuffers", EXTRA)
    joined = schema.ModelT.InitFromPackedBuf(head)
    rows = joined.subgraphs[0].outputs
    for part in (model, marks):
        # The last result so far is named `VECTORS`, the rows by their name.
        last = joined.subgraphs[0].outputs
        _append(joined, schema.ModelT.InitFromPackedBuf(part), rows, last)
    builder = flatbuffers.Builder(len(head) + len(model) + len(marks))
    builder.Finish(joined.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _append(joined, part, rows, last):
    """Adds a part with one output, which becomes that of the whole."""
    (graph,), (part_graph,) = joined.subgraphs, part.subgraphs
    (signature,), (part_signature,) = joined.signatureDefs, part.signatureDefs
    links = {
        int(part_input.tensorIndex) + len(graph.tensors): int(
            (last if part_input.name == VECTORS.encode() else rows)[0]
        )
        for part_input in part_signature.inputs
    }
    _shift(part_graph, joined, graph)
    for operator in part_graph.operators:
        operator.inputs = [links.get(i, i) for i in operator.inputs]
    joined.operatorCodes += part.operatorCodes
    joined.buffers += part.buffers
    graph.tensors += part_graph.tensors
    graph.operators += part_graph.operators
    graph.outputs = part_graph.outputs
    signature.outputs = part_signature.outputs
    for output in signature.outputs:
        (output.tensorIndex,) = part_graph.outputs


def _shift(part_graph, head, graph):
    """Renumbers the second model to follow the first."""
    tensors, buffers = len(graph.tensors), len(head.buffers)
    codes = len(head.operatorCodes)

    def renumbered(indices):
        # -1 stands for an omitted input.
        return [i if i < 0 else int(i) + tensors for i in indices]

    for tensor in part_graph.tensors:
        tensor.buffer += buffers
    for operator in part_graph.operators:
        operator.opcodeIndex += codes
        for field in ("inputs", "outputs", "intermediates"):
            if (indices := getattr(operator, field)) is not None:
                setattr(operator, field, renumbered(indices))
    part_graph.inputs, part_graph.outputs = (
        renumbered(part_graph.inputs),
        renumbered(part_graph.outputs),
    )
