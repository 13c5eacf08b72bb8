"""Runs our encoder: the SavedModel's signature, or the Keras model."""

import pathlib

import tensorflow as tf

from benchmarks.workers import protocol
from benchmarks.workers.checked import Embedding
from benchmarks.workers.make_exports import PRECISIONS
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.runs.encoder import load_encoder


def prepare(case: dict) -> Embedding:
    """Loads either form, in the faster precision."""
    make = {"saved": _saved, "keras": _keras}[case["as"]]
    folder = pathlib.Path(case["folder"])
    variants = {
        precision: lambda precision=precision: make(folder / precision, case)
        for precision in PRECISIONS
    }
    return Embedding(case, variants)


def _saved(folder, case):
    loaded = tf.saved_model.load(str(folder / "saved_model"))

    def embed(images):
        # Keeps a reference to `loaded`, which holds the variables.
        answer = loaded.signatures["images"](images=tf.constant(images))
        return answer["representations"].numpy()

    return embed


def _keras(folder, case):
    encoder = load_encoder(folder)
    return FeatureExtractor(encoder.model, encoder.preprocessor, case["batch"])


if __name__ == "__main__":
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras")
