"""Inputs of encoders of texts, strings or ids, and the card of an export."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.modalities.contract import Card
from byol_tf.modalities.signature import DEFAULT, OK, Signature
from byol_tf.modalities.text.decode import EMPTY, Reading
from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.tokens import NOTHING

TEXTS, IDS = "texts", "ids"
FORMS = ("saved_model", "graph")


def sizes(shape: Sequence[int | None], section=None, preprocessor=None) -> dict:
    """Returns the settings that decode and prepare a text, as JSON."""
    fields = {"mask": [], "column": ""}
    if preprocessor is not None:
        fields |= {"words": preprocessor.words, "ids": preprocessor.size}
        fields |= {"mask": list(preprocessor.mask)}
        fields["library"] = preprocessor.library
    if section is not None:
        fields["column"] = section.data.text_column
    return fields


def decode_row(data, sizes: Mapping) -> np.ndarray:
    """Reads a path, bytes or a text into a row, with `Reading`."""
    return Reading(sizes["mask"])(data)


def origin(data) -> dict:
    """Returns {}: predictions are about the whole text."""
    return {}


def inputs(
    preprocessor: Tokens, sizes: Mapping, form: str
) -> dict[str, Signature]:
    """Returns the signatures of an exported encoder of texts.

    Args:
        preprocessor: prepares the model's input.
        sizes: result of `sizes`.
        form: "saved_model" takes strings; "graph" takes ids.
    """
    if form not in FORMS:
        raise ValueError(f"`form` must be one of {FORMS}. Received: {form!r}")
    if form == "graph":
        return {IDS: _of_ids(preprocessor)}
    return {DEFAULT: _of_texts(preprocessor)}


def _of_texts(tokens):
    def read(texts):
        ids = tokens.read(texts)
        batch, valid = _checked(tokens.prepared(ids), ids)
        return batch, tf.where(valid, OK, EMPTY)

    return Signature(
        {TEXTS: tf.TensorSpec([None], tf.string, TEXTS)},
        read,
        {TEXTS: "string [n], texts in UTF-8"},
        of_rows=lambda rows: np.array([_bytes(row) for row in rows], object),
        has_status=True,
    )


def _of_ids(tokens):
    shape = [None, tokens.words, tokens.slots]

    def read(ids):
        return _checked(tokens.prepared(ids, merge=True), ids)

    def of_rows(rows):
        texts = tf.constant([_bytes(row) for row in rows])
        return tokens.read(texts).numpy()

    return Signature(
        {IDS: tf.TensorSpec(shape, tf.int32, IDS)},
        read,
        {IDS: f"int32 [n, {shape[1]}, {shape[2]}], as tokens.py gives them"},
        of_rows=of_rows,
        has_status=True,
    )


def _checked(batch, ids):
    """Sets texts without a word to NaN; returns also which have words."""
    valid = tf.reduce_any(ids != NOTHING, axis=[1, 2])
    shape = [-1, *[1] * (len(batch.shape) - 1)]
    return tf.where(tf.reshape(valid, shape), batch, float("nan")), valid


def _bytes(row):
    return np.asarray(row).item()


def card(about: Mapping) -> Card:
    """Returns the text on calling an exported encoder, and its limits."""
    words = about["sizes"]["words"]
    masks = ", ".join(about["sizes"]["mask"])
    return Card(
        "text",
        f"```python\n{_example(about)}\n```",
        f"- It reads the first {words} words of a text, and knows words and "
        "parts of words: of the texts that it was trained on, or of its "
        "tokenizer. It does not know what a text means beyond that.\n"
        + (f"- Masked in every text: {masks}.\n" if masks else "")
        + "- A text without a word fails alone: its row is NaN.",
    )


def _example(about):
    hub = about["sizes"].get("library")
    if about["format"] == "saved_model":
        return (
            "import tensorflow as tf\n"
            + ("import tensorflow_text  # its operations\n\n" if hub else "\n")
            + 'call = tf.saved_model.load("1").signatures["serving_default"]\n'
            'call(texts=tf.constant(["Where is my card?"]))'
        )
    lines = (
        "import json\n\nimport numpy as np\n"
        "from byol_tf.modalities.text.tokens import Tokenizer\n\n"
        'about = json.load(open("RUN/preprocessor.json"))\n'
        'known = about["preparation"]["config"]\n'
        'tokens = Tokenizer(known["vocabulary"], known["words"], '
        'known["mask"])\n'
        'ids = np.int32([tokens("Where is my card?")])\n'
    )
    if hub:
        lines = (
            "from byol_tf import load_encoder\n\n"
            'tokens = load_encoder("RUN").preprocessor\n'
            'ids = tokens.read(["Where is my card?"]).numpy()\n'
        )
    file = next(iter(about["signatures"]), "encoder.onnx")
    if about["format"] == "litert":
        return (
            f"from ai_edge_litert.interpreter import Interpreter\n{lines}"
            f'call = Interpreter("{file}").get_signature_runner()\n'
            "call(ids=ids)"
        )
    return (
        f"import onnxruntime\n{lines}"
        f'session = onnxruntime.InferenceSession("{file}")\n'
        'session.run(None, {"ids": ids})'
    )
