"""The modality of histories.

See `modalities.contract` for the methods' arguments and results.
"""

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_integer, check_number, in_section
from byol_tf.data.decoder import Decoder
from byol_tf.data.rows import Unreadable
from byol_tf.modalities.batch import open_batch
from byol_tf.modalities.contract import Card, Raw, refuse_augment
from byol_tf.modalities.history.layer import Histories, HistoryViews, unit
from byol_tf.modalities.history.rows import (
    EXTENSIONS,
    NAME,
    NONE,
    Reading,
    Shops,
)
from byol_tf.modalities.signature import DEFAULT, Signature
from byol_tf.reports.grids import on_canvas, views_grid
from byol_tf.runtime import dtype_policy

ENCODER = "histories"
HISTORIES, VECTORS = "histories", "items"  # names of the inputs of exports
FORMS = ("saved_model", "graph")
_WIDTHS = (256, 128)
_SIDE = 48  # pixels of a picture
_AT_A_TIME = 10_000
_WORDS = (
    "newest first: zlib.crc32 of the item's id & 0x7fffffff (-1: none), "
    "minutes since 1970, thousandths of weight"
)


class HistoryModality:
    """Implements `modalities.contract.Modality` for histories."""

    name = NAME
    extensions = EXTENSIONS
    strength = ("history.keep", "float", 0.3, 0.8)

    def milder(self, section, row_shape):
        return (("history.keep", 0.7, 1),)

    def decoder(self, section) -> Decoder:
        options = section.history
        with in_section("history"):
            check_integer("length", options.length, 1)
            check_number("held_out", options.held_out, 0, 0.9)
        length = options.length
        return Decoder(
            spec={NAME: tf.TensorSpec((length, 3), tf.int32)},
            decode=Reading(length),
            extensions=EXTENSIONS,
            table=Shops(length, options.held_out),
            key=length,
        )

    def sizes(self, shape, section=None, preprocessor=None):
        return {"length": shape[0]}

    def plan(self, section, examples, accelerator):
        return open_batch(section, examples.num_examples, 256, self.name)

    def decode_row(self, data, sizes):
        return Reading(sizes["length"])(data)

    def origin(self, data):
        return {}

    def fit(self, examples, section) -> Histories:
        """Takes the most frequent items of the training histories."""
        options = section.history
        with in_section("history"):
            check_integer("most_items", options.most_items, 1)
        keys, counts = _frequencies(examples)
        frequent = np.argsort(-counts, kind="stable")[: options.most_items]
        if not len(frequent):
            raise ValueError(f"the histories of {examples.name} have no items")
        return Histories(np.sort(keys[frequent]), options.half_life)

    def views(self, section, preprocessor) -> HistoryViews:
        options = section.history
        with in_section("history"):
            return HistoryViews(
                preprocessor, options.length, options.keep, options.window
            )

    def crops(self, section):
        return {}

    def train_view(self, preprocessor, crops):
        return None

    def supervised_augment(self, options):
        refuse_augment(options, "histories")

    def encoder(self, section, preprocessor, row_shape) -> keras.Model:
        options = section.encoder
        if options.name != ENCODER:
            raise ValueError(
                f"encoder.name must be {ENCODER} for histories. Received: "
                f"{options.name!r}"
            )
        policy = dtype_policy(section.precision)
        x = inputs = keras.Input((len(preprocessor.keys),), name="history")
        *hidden, last = options.widths or _WIDTHS
        for width in hidden:
            x = keras.layers.Dense(width, "gelu", dtype=policy)(x)
        x = keras.layers.Dense(last, dtype=policy, name="vector")(x)
        outputs = keras.layers.Activation("linear", dtype="float32")(x)
        return keras.Model(inputs, outputs, name="encoder")

    def pretrained(self, section, preprocessor, row_shape, examples=None):
        raise ValueError("there are no published encoders of histories")

    def levels(self, model):
        return {}

    def raw(self, preprocessor, sizes) -> Raw:
        inputs = keras.Input((len(preprocessor.keys),))
        identity = keras.layers.Activation("linear")(inputs)
        return Raw("raw histories", keras.Model(inputs, identity), preprocessor)

    def inputs(self, preprocessor, sizes, form):
        if form not in FORMS:
            raise ValueError(f"`form` must be one of {FORMS}. Received: {form}")
        if form == "graph":
            return {VECTORS: _of_vectors(preprocessor)}
        length = sizes["length"]
        spec = tf.TensorSpec([None, length, 3], tf.int32, HISTORIES)
        rows = Signature(
            {HISTORIES: spec},
            lambda histories: (preprocessor(histories), None),
            {HISTORIES: f"int32 [n, {length}, 3], {_WORDS}"},
            of_rows=np.stack,
        )
        return {DEFAULT: rows}

    def card(self, about) -> Card:
        name = HISTORIES if about["format"] == "saved_model" else VECTORS
        return Card(
            NAME,
            f"The input `{name}`: one history a row.",
            "- Items that were not in the training histories are passed over; "
            "a history without a known item gives the vector of an empty one.",
        )

    def preview(self, row) -> np.ndarray:
        return picture(np.asarray(row), _SIDE)

    def thumbnail(self, data, side):
        try:
            return picture(Reading(_SIDE)(data), min(side, _SIDE))
        except Unreadable:
            return None

    def draw_views(self, rows, pair, path) -> None:
        pictures = [
            [self.preview(row) for row in rows],
            *([_squared(view) for view in views] for views in pair),
        ]
        views_grid(*map(on_canvas, pictures), path)


def _frequencies(examples):
    """Returns the keys of all items of histories, and how often each occurs."""
    keys, counts = [], []
    for start in range(0, examples.num_examples, _AT_A_TIME):
        stop = min(start + _AT_A_TIME, examples.num_examples)
        rows = examples.take(np.arange(start, stop))[..., 0]
        distinct = np.unique(rows[rows != NONE], return_counts=True)
        keys.append(distinct[0])
        counts.append(distinct[1])
    distinct, index = np.unique(np.concatenate(keys), return_inverse=True)
    return distinct, np.bincount(index, np.concatenate(counts))


def _of_vectors(preprocessor):
    """Makes a signature of weights by item, for formats without search."""
    count = len(preprocessor.keys)
    return Signature(
        {VECTORS: tf.TensorSpec([None, count], tf.float32, VECTORS)},
        lambda items: (unit(items), None),
        {VECTORS: f"float32 [n, {count}], weights by item, ascending keys"},
        of_rows=lambda rows: np.asarray(preprocessor(np.stack(rows))),
    )


def picture(row: np.ndarray, side: int) -> np.ndarray:
    """Draws a history: time runs from left to right, the height shows the item.

    Args:
        row: int32 `[length, 3]`.
        side: side of the picture in pixels.

    Returns:
        uint8 `[side, side, 3]`.
    """
    keys = row[row[:, 0] != NONE, 0][::-1]
    canvas = np.full((side, side, 3), 255, np.uint8)
    columns = np.arange(len(keys)) * side // max(len(keys), 1)
    canvas[keys % side, columns] = 0
    return canvas


def _squared(view):
    """Reshapes a view so that its items become the pixels of a square."""
    side = int(np.ceil(np.sqrt(len(view))))
    pixels = np.zeros(side * side)
    pixels[: len(view)] = view / max(view.max(), 1e-9)
    gray = np.uint8(255 * (1 - pixels)).reshape(side, side, 1)
    return np.repeat(gray, 3, axis=2)


HISTORY = HistoryModality()
