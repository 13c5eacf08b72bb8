"""Encoders of texts: a bag of features, and a small transformer.

`bag` projects TF-IDF vectors by a random matrix, or by the directions of `lsa`.
Its cosines start close to those of TF-IDF, and training improves them.
`text_small` and `text_base` are transformers over words.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers

from byol_tf.checks import check_choice
from byol_tf.modalities.text.layer import unit_length

BAG = "bag"
WORDS = "words"  # name of the level of transformers
# Width, blocks and heads of a transformer; for the bag only the width.
ENCODERS = {
    BAG: (256, 0, 0),
    "text_small": (128, 2, 4),
    "text_base": (256, 4, 4),
}
_DROPOUT = 0.1  # of transformers; may be all that makes the views differ


def make_encoder(
    name: str,
    row_shape: Sequence[int],
    size: int,
    widths: Sequence[int] = (),
    dtype: str = "float32",
) -> keras.Model:
    """Makes an encoder with random weights.

    Args:
        name: a key of `ENCODERS`.
        row_shape: shape of a prepared row, see `layer.Tokens`.
        size: number of ids.
        widths: one width instead of the name's own; (): the name's own.
        dtype: dtype policy of the layers.

    Returns:
        Model from float32 `[batch, *row_shape]` to float32 `[batch, width]`;
        for the bag, vectors of length `sqrt(width)`.

    Raises:
        ValueError: for an unknown name, or an invalid width.
    """
    check_choice("encoder.name", name, sorted(ENCODERS))
    width, blocks, heads = ENCODERS[name]
    width, *more = tuple(widths) or (width,)
    if more or width < 1 or width % max(heads, 1):
        raise ValueError(
            "encoder.widths must have one positive number for texts, for "
            f"{name} a multiple of {max(heads, 1)}. Received: {tuple(widths)}"
        )
    inputs = keras.Input(tuple(row_shape), name="tokens")
    if name == BAG:
        outputs = _bag(inputs, width, dtype)
    else:
        outputs = _transformer(inputs, size, width, blocks, heads, dtype)
    return keras.Model(inputs, outputs, name="encoder")


def levels(model: keras.Model) -> dict[str, tuple[str, int]]:
    """Returns the vectors of words as a level; a bag has none."""
    has_words = WORDS in {layer.name for layer in model.layers}
    return {WORDS: (WORDS, 1)} if has_words else {}


def _bag(inputs, width, dtype):
    projected = layers.Dense(
        width,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=width**-0.5),
        name="projection",
        dtype=dtype,
    )(inputs)
    # A standard deviation near 1, as heads trained on the vectors expect.
    scale = width**0.5
    return UnitLength(scale, name="unit", dtype="float32")(projected)


def _transformer(inputs, size, width, blocks, heads, dtype):
    options = {"dtype": dtype}
    x, mask = WordVectors(size, width, name="vectors", **options)(inputs)
    x = layers.Dropout(_DROPOUT, name="dropout", **options)(x)
    for number in range(blocks):
        name = f"block{number}"
        normed = layers.LayerNormalization(name=f"{name}_norm0", **options)(x)
        attended = layers.MultiHeadAttention(
            heads, width // heads, name=f"{name}_attention", **options
        )(normed, normed, attention_mask=mask)
        x = layers.Add(name=f"{name}_add0", **options)([x, attended])
        y = layers.LayerNormalization(name=f"{name}_norm1", **options)(x)
        y = layers.Dense(4 * width, "gelu", name=f"{name}_up", **options)(y)
        y = layers.Dense(width, name=f"{name}_down", **options)(y)
        y = layers.Dropout(_DROPOUT, name=f"{name}_dropout", **options)(y)
        x = layers.Add(name=f"{name}_add1", **options)([x, y])
    x = layers.LayerNormalization(name=WORDS, **options)(x)
    return MeanOfWords(name="mean", dtype="float32")([x, inputs])


@keras.saving.register_keras_serializable("byol_tf")
class UnitLength(layers.Layer):
    """Divides vectors by their lengths.

    Args:
        scale: length of the results.
    """

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = float(scale)

    def call(self, vectors):
        return self.scale * unit_length(vectors)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}

    def compute_output_shape(self, vectors_shape):
        return vectors_shape


@keras.saving.register_keras_serializable("byol_tf")
class WordVectors(layers.Layer):
    """Embeds words: the sum of the vectors of their features and position.

    Args:
        size: number of ids.
        width: width of a vector.

    Input: float32 ids `[batch, words, 18]`. Output: `[batch, words, width]`,
    and bool `[batch, 1, words]`, true where there is a word.
    """

    def __init__(self, size, width, **kwargs):
        super().__init__(**kwargs)
        self.size, self.width = size, width
        # bfloat16 cannot represent ids above 256.
        self.autocast = False

    def build(self, ids_shape):
        self.table = self.add_weight(
            shape=(self.size, self.width),
            initializer=keras.initializers.RandomNormal(
                stddev=self.width**-0.5
            ),
            name="table",
        )
        self.places = self.add_weight(
            shape=(ids_shape[1], self.width),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="places",
        )

    def call(self, ids):
        ids = tf.cast(tf.where(tf.math.is_finite(ids), ids, 0.0), tf.int32)
        is_used = tf.cast(ids > 0, tf.float32)
        vectors = tf.gather(tf.cast(self.table, tf.float32), ids)
        embedded = tf.einsum("bwgd,bwg->bwd", vectors, is_used)
        count = tf.reduce_sum(is_used, axis=2, keepdims=True)
        embedded = embedded * tf.math.rsqrt(tf.maximum(count, 1.0))
        embedded += tf.cast(self.places, tf.float32)
        mask = tf.reduce_any(ids > 0, axis=2)[:, None]
        return tf.cast(embedded, self.compute_dtype), mask

    def compute_output_shape(self, ids_shape):
        batch, words, _ = ids_shape
        return (batch, words, self.width), (batch, 1, words)

    def get_config(self):
        config = {"size": self.size, "width": self.width}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("byol_tf")
class MeanOfWords(layers.Layer):
    """Averages `[batch, words, width]` over the words that exist.

    Input: the vectors, and the ids `[batch, words, 18]`.
    """

    def call(self, inputs):
        vectors, ids = inputs
        is_word = tf.reduce_any(ids != 0, axis=2)  # true for NaN
        is_word = tf.cast(is_word, tf.float32)[..., None]
        total = tf.reduce_sum(tf.cast(vectors, tf.float32) * is_word, axis=1)
        total += tf.reduce_sum(ids * 0.0, axis=[1, 2])[:, None]  # or NaN
        return total / tf.maximum(tf.reduce_sum(is_word, axis=1), 1.0)

    def compute_output_shape(self, inputs_shape):
        (batch, _, width), _ = inputs_shape
        return batch, width
