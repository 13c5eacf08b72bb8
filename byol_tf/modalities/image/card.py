"""Describes how to call each format of an exported encoder of images."""

from collections.abc import Mapping

from byol_tf.modalities.contract import Card
from byol_tf.modalities.signature import DEFAULT

_CURL = """\
With TensorFlow Serving and the model's folder (the one that holds the
version) at `/models/byol`:

```sh
curl http://localhost:8501/v1/models/byol:predict -d \\
  "{\\"signature_name\\": \\"serving_default\\", \\"inputs\\":
   {\\"bytes\\": [{\\"b64\\": \\"$(base64 < a.jpg | tr -d '\\n')\\"}]}}\""""

_PIXELS = """\
import numpy as np
{library}
from PIL import Image, ImageOps

picture = ImageOps.exif_transpose(Image.open("a.jpg")).convert("{mode}")
picture = ImageOps.fit(picture, ({size}, {size}))
images = np.asarray(picture, np.float32).reshape(1, {size}, {size}, -1) / 255
"""

_ONNX = """
session = onnxruntime.InferenceSession("{file}")
({output},) = session.run(None, {{"images": images}})"""

_LITERT = """
call = Interpreter("{file}").get_signature_runner()
{output} = call(images=images)["{output}"]"""

_ARRAY = """\
import numpy as np
{library}

# [height, width, {channels}], of any size
images = np.load("a.npy")[None].astype(np.float32)
"""

_SAVED = """
call = tf.saved_model.load("1").signatures["serving_default"]
{output} = call(images=tf.cast(images, tf.{dtype}))["{output}"]"""

_LITERT_IMPORT = "from ai_edge_litert.interpreter import Interpreter"
_KERAS = """import numpy as np
import byol_tf

encoder = byol_tf.load_encoder(".")
images = np.stack([encoder.decode("a.jpg")])
representations = np.asarray(encoder.model(encoder.preprocessor(images)))"""

_PYTHON = {
    "onnx": ("import onnxruntime", _ONNX),
    "litert": (_LITERT_IMPORT, _LITERT),
    "saved_model": ("import tensorflow as tf", _SAVED),
}


def card(about: Mapping) -> Card:
    """Describes how to call an exported encoder of images, and its limits.

    Args:
        about: contents of `export.json`, see `jobs.export.build.export`.
    """
    default = about["signatures"].get(DEFAULT, {"inputs": ()})
    saved = about["format"] == "saved_model"
    if saved and "images" not in default["inputs"]:
        example = f"{_CURL}\n```"
    else:
        example = f"```python\n{python_example(about)}\n```"
    return Card("image", example, _limits(about))


def python_example(about: Mapping) -> str:
    """Returns Python code that encodes `a.jpg` or `a.npy` with one file."""
    if about["format"] == "keras":
        return _KERAS
    file, signature = next(iter(about["signatures"].items()))
    output, channels = next(iter(signature["outputs"])), about["channels"]
    input_text = next(iter(signature["inputs"].values()), "")
    library, call = _PYTHON[about["format"]]
    is_photo = channels in (1, 3) and "as stored" not in input_text
    pixels = (_PIXELS if is_photo else _ARRAY).format(
        library=library,
        mode="L" if channels == 1 else "RGB",
        channels=channels,
        size=about["image_size"],
    )
    dtype = input_text.partition(" ")[0]
    return pixels + call.format(file=file, output=output, dtype=dtype)


def _limits(about):
    if about["format"] == "keras":
        return "- It computes in the precision that the run was trained in."
    whole = about.get("whole_images")  # for the fine-tuned model
    if about["format"] == "saved_model":
        subject = "For the vectors, files" if whole else "Files"
        return (
            f"- {subject} are cut to their centre square and brought to "
            f"{about['image_size']} pixels of a side; what is outside is not "
            "seen.\n"
            "- WebP, and BMP with a palette or compression, are refused. An "
            "unreadable image fails alone: its row is NaN (probabilities 0) "
            "and its status says why.\n"
            "- Floats outside of their range fail in the same way.\n"
            "- Damage that an image format cannot notice stays unnoticed."
        )
    text = (
        "- It takes images, not files: decode them upright first, and divide "
        "8 bits by 255. A row outside of [0, 1] gives NaN. All images of a "
        "batch have one size, any size. "
        + ("For the vectors, their" if whole else "Their")
        + " centre square is cut out and brought to "
        f"{about['encoder']['image_size']} pixels of a side inside, without "
        "smoothing: bring larger ones to about "
        f"{about['image_size']} pixels of a side first, as below.\n"
        "- It computes in float32, whatever precision the run was trained in."
    )
    if about["format"] == "litert":
        text += (
            "\n- A batch has one image at least. Other than the encoder, "
            "cutting and resizing are float32 in every file, as are inputs "
            "and outputs; the 8 bits of int8 were calibrated on images of "
            "the training data."
        )
    return text
