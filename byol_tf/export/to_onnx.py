"""Writes models as ONNX files, and runs them with ONNX Runtime."""

import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from byol_tf.checks import require
from byol_tf.export.freeze import frozen, signature
from byol_tf.export.quiet import converting
from byol_tf.export.verify import ExportedModel
from byol_tf.files import loading
from byol_tf.modalities.signature import Source

EXTRA = "onnx"  # name of the extra
OPSET = 17  # from 2022, supported by runtimes in use
_LIBRARIES = ("onnx", "onnxruntime", "tf2onnx")
_AXES = {4: ("n", "height", "width")}  # by rank


def check_installed() -> None:
    """Raises a ValueError if a library that the export needs is missing."""
    for library in _LIBRARIES:
        require(library, EXTRA)


def save(
    source: Source,
    name: str,
    output: str,
    path: str | os.PathLike,
    metadata: Mapping[str, str],
    decode: Callable | None = None,
) -> None:
    """Writes a model with its preprocessing as one ONNX file.

    Args:
        source: a model that computes in float32, see `freeze.in_float32`.
        name: name of the model, for messages.
        output: name of the result.
        path: path of the file.
        metadata: texts to store in the file (`metadata_props`).
        decode: see `freeze.frozen`.

    Raises:
        ValueError: if ONNX cannot represent the model. One line.
    """
    onnx = require("onnx", EXTRA)
    convert = require("tf2onnx.convert", EXTRA)
    with converting(name, "ONNX"):
        function = frozen(source, output, decode)
        input_name, _ = signature(source)
        tensor_names = [tensor.name for tensor in function.outputs]
        # Sorted by name, as TensorFlow flattens a dict.
        renames = zip(
            tensor_names, sorted(function.structured_outputs), strict=True
        )
        proto, _ = convert.from_graph_def(
            function.graph.as_graph_def(),
            name=name,
            input_names=[f"{input_name}:0"],
            output_names=tensor_names,
            opset=OPSET,
            tensors_to_rename={f"{input_name}:0": input_name, **dict(renames)},
        )
        rank = len(function.inputs[0].shape)
        axes = _AXES.get(rank, ("n", "length"))
        _name_axes(proto.graph.input[0], axes)
        for value in proto.graph.output:
            _name_axes(value, axes[:1])
        onnx.helper.set_model_props(proto, dict(metadata))
        onnx.checker.check_model(proto)
    pathlib.Path(path).write_bytes(proto.SerializeToString())


def _name_axes(value, names):
    """Names axes of free length, which the converter only numbers."""
    for axis, name in zip(
        value.type.tensor_type.shape.dim, names, strict=False
    ):
        if not axis.dim_value:
            axis.dim_param = name


def load(
    path: str | os.PathLike,
    source: Source,
    threads: int,
    name: str = "onnx",
    join: Callable | None = None,
) -> ExportedModel:
    """Loads an ONNX file for the comparison.

    Args:
        path: path of the file.
        source: its source model.
        threads: threads per call.
        name: name in tables and messages.
        join: from all results by name to one row of numbers each; None for a
            single result.
    """
    runtime = require("onnxruntime", EXTRA)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    with loading(path):
        session = runtime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    input_name, input_signature = signature(source)

    names = [value.name for value in session.get_outputs()]

    def predict(rows: np.ndarray) -> dict[str, np.ndarray]:
        results = session.run(None, {input_name: input_signature.of_rows(rows)})
        return dict(zip(names, results, strict=True))

    def encode(rows: np.ndarray) -> np.ndarray:
        results = predict(rows)
        return join(results) if join else results[names[0]]

    size = pathlib.Path(path).stat().st_size
    return ExportedModel(name, size, encode, predict=predict)
