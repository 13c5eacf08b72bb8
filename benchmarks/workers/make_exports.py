"""Writes one encoder in every form that the workers load.

    python -m benchmarks.workers.make_exports slim FOLDER

FOLDER gets `<precision>/encoder.keras`, `<precision>/saved_model/`,
`encoder.onnx`, `images.npy`, and `expected.npy` with their representations in
float32.
"""

import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from byol_tf.jobs.export.simple import export_saved_model
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.modalities.image.views import CentreView

SIZE = 32
BATCH = 64
PRECISIONS = ("float32", "mixed_bfloat16")


def main(name: str, folder: pathlib.Path) -> None:
    """Writes all files for an encoder by name."""
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    encoders = {
        precision: make_resnet(name, (SIZE, SIZE, 3), dtype=precision)
        for precision in PRECISIONS
    }
    plain = encoders["float32"]
    for precision, encoder in encoders.items():
        encoder.set_weights(plain.get_weights())
        write(encoder, folder / precision)
    images = np.random.default_rng(0).integers(
        0, 256, (BATCH, SIZE, SIZE, 3), np.uint8
    )
    expected = plain(images.astype(np.float32) / 255, training=False)
    np.save(folder / "images.npy", images)
    np.save(folder / "expected.npy", expected.numpy())
    write_onnx(plain, folder / "encoder.onnx")


def write(encoder: keras.Model, folder: pathlib.Path) -> None:
    """Writes the Keras file, and the SavedModel that `export.py` makes."""
    folder.mkdir()
    encoder.save(folder / "encoder.keras")
    version = export_saved_model(
        encoder, CentreView(SIZE), folder / "versions", image_size=SIZE
    )
    version.rename(folder / "saved_model")


def write_onnx(encoder: keras.Model, path: pathlib.Path) -> None:
    """Writes an ONNX file from uint8 images of one size to vectors.

    `export.py --format=onnx` takes floats of any size, which costs a resize.
    """
    import tf2onnx
    from tensorflow.python.framework import convert_to_constants

    @tf.function
    def represent(images):
        return encoder(tf.cast(images, tf.float32) / 255.0, training=False)

    spec = tf.TensorSpec([None, SIZE, SIZE, 3], tf.uint8, "images")
    # Else the constants of the normalisation would become inputs.
    graph = convert_to_constants.convert_variables_to_constants_v2(
        represent.get_concrete_function(spec)
    )
    tf2onnx.convert.from_graph_def(
        graph.graph.as_graph_def(),
        input_names=[graph.inputs[0].name],
        output_names=[graph.outputs[0].name],
        opset=17,
        output_path=str(path),
    )


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
