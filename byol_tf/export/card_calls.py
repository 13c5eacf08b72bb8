"""How each format of an exported model is called, for its card."""

from collections.abc import Mapping

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

_PYTHON = {
    "onnx": ("import onnxruntime", _ONNX),
    "litert": (
        "from ai_edge_litert.interpreter import Interpreter",
        _LITERT,
    ),
}


def how_to_call(about: Mapping) -> str:
    """Markdown with an example, and all inputs and outputs.

    Args:
        about: what `export.json` holds, see `export_builders.export`.
    """
    if about["format"] == "saved_model":
        example = f"{_CURL}\n```"
    else:
        example = f"```python\n{python_example(about)}\n```"
    lines = []
    for name, described in about["signatures"].items():
        lines.append(f"- `{name}`")
        for kind in ("inputs", "outputs"):
            for key, value in described[kind].items():
                lines.append(f"    - {kind[:-1]} `{key}`: {value}")
    return "\n".join([example, "", *lines])


def python_example(about: Mapping) -> str:
    """Python that encodes `a.jpg` with the first of the files."""
    file, described = next(iter(about["signatures"].items()))
    (output,) = described["outputs"]
    library, call = _PYTHON[about["format"]]
    pixels = _PIXELS.format(
        library=library,
        mode="L" if about["channels"] == 1 else "RGB",
        size=about["image_size"],
    )
    return pixels + call.format(file=file, output=output)
