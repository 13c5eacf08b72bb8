"""Runs our exported encoder by ONNX Runtime."""

import pathlib

import onnxruntime

from benchmarks.workers import protocol
from benchmarks.workers.checked import Embedding


def prepare(case: dict) -> Embedding:
    """Chooses the faster of threads that spin while they wait, or not."""
    path = pathlib.Path(case["folder"]) / "encoder.onnx"
    variants = {
        "float32": lambda: _session(path, "1"),
        "float32, no spinning": lambda: _session(path, "0"),
    }
    return Embedding(case, variants)


def _session(path, spinning):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = protocol.threads()
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", spinning
    )
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


if __name__ == "__main__":
    protocol.serve(prepare, "onnxruntime", "tf2onnx", "onnx")
