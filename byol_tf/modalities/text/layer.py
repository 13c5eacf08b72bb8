"""A layer that converts strings to features of their words."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_choice, check_integer
from byol_tf.modalities.text.tokens import (
    AFTER_LOWER,
    BEFORE_LOWER,
    FIRST,
    LETTERS,
    MASKS,
    NOTHING,
    PAIR,
    SLOTS,
    UNKNOWN,
)

FORMS = ("ids", "tf_idf")
# Small, but enough to tell a text of unknown words from an empty one.
UNKNOWN_WEIGHT = 1e-3


@keras.saving.register_keras_serializable("byol_tf")
class Tokens(keras.layers.Layer):
    """Converts texts to features: words, their trigrams, pairs of words.

    `tokens.Tokenizer` computes the same ids without TensorFlow.

    Args:
        vocabulary: features, see `tokens.features_of`; the first has id 2.
        idf: weight of each feature.
        words: number of words to read, from the start of a text.
        mask: keys of `tokens.MASKS` to mask before anything else.
        form: "ids"; or "tf_idf", the counts of the ids times their weights,
            scaled to unit length.

    Input: strings `[batch]` in UTF-8; of a pair, only the first text is read.
    Bytes that are not UTF-8 separate words. Output: float32, ids
    `[batch, words, 18]` with 0 for nothing and 1 for an unknown word; or
    `[batch, ids]`.
    """

    slots = SLOTS  # ids of a word
    library = ""  # that its tokenizer belongs to

    def __init__(
        self,
        vocabulary: Sequence[str],
        idf: Sequence[float],
        words: int = 64,
        mask: Sequence[str] = (),
        form: str = "ids",
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        if len(vocabulary) != len(idf) or not len(vocabulary):
            raise ValueError(
                "`vocabulary` and `idf` must be of one length, 1 or more. "
                f"Received: {len(vocabulary)} and {len(idf)}"
            )
        for name in mask:
            check_choice("mask", name, sorted(MASKS))
        self.vocabulary, self.idf = list(vocabulary), list(map(float, idf))
        self.words = check_integer("words", words, 1)
        self.mask, self.form = tuple(mask), check_choice("form", form, FORMS)
        # NumPy: tensors would become inputs of an exported graph.
        self._weights = np.array([0, UNKNOWN_WEIGHT, *self.idf], np.float32)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self._table = self._make_table()
        self.built = True

    def _make_table(self):
        with tf.init_scope(), tf.device("CPU"):
            ids = np.arange(len(self.vocabulary)) + FIRST
            pairs = tf.lookup.KeyValueTensorInitializer(
                tf.constant(self.vocabulary), tf.constant(ids, tf.int64)
            )
            return tf.lookup.StaticHashTable(pairs, NOTHING)

    @property
    def tables(self) -> list[tf.lookup.StaticHashTable]:
        """Tables that an exported module must hold."""
        return [self._table]

    @property
    def size(self) -> int:
        """Number of ids."""
        return len(self._weights)

    def call(self, texts):
        return self.prepared(self.read(texts))

    def read(self, texts) -> tf.Tensor:
        """Reads the ids of strings `[batch]`; of a pair, of its first text."""
        first, _ = parts(tf.convert_to_tensor(texts, tf.string))
        return self.ids(self.split(first))

    def prepared(self, ids: tf.Tensor, merge: bool = False) -> tf.Tensor:
        """Converts int32 ids `[batch, words, 18]` to the encoder's input.

        Args:
            ids: from `ids`; some may be set to 0.
            merge: write every id of a text once, for formats whose scatter does
                not add up repeated indices.
        """
        if self.form == "ids":
            return tf.cast(ids, tf.float32)
        flat = tf.reshape(ids, [-1, self.words * SLOTS])
        weights = tf.gather(self._weights, flat)
        if merge:
            flat, weights = _merged(flat, weights)
        rows = tf.range(tf.shape(flat)[0])[:, None] + tf.zeros_like(flat)
        places = tf.stack([rows, flat], axis=-1)
        shape = [tf.shape(flat)[0], self.size]
        return unit_length(tf.scatter_nd(places, weights, shape))

    def split(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Splits strings `[batch]` in UTF-8, from `parts`, into all words."""
        texts = self.masked(texts)
        for pattern, new in BEFORE_LOWER:
            texts = tf.strings.regex_replace(texts, pattern, new)
        texts = tf.strings.lower(texts, encoding="utf-8")
        for pattern, new in AFTER_LOWER:
            texts = tf.strings.regex_replace(texts, pattern, new)
        return tf.strings.split(texts)

    def masked(self, texts: tf.Tensor) -> tf.Tensor:
        """Masks what `mask` names in strings `[batch]`."""
        for name in self.mask:
            texts = tf.strings.regex_replace(texts, *MASKS[name])
        return texts

    def ids(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Looks up int32 ids `[batch, self.words, 18]` of the first words."""
        words = words[:, : self.words]
        flat = words.values
        distinct, index = tf.unique(flat)
        of_word = tf.gather(self._of_words(distinct), index)
        following = tf.concat([flat[1:], tf.zeros_like(flat[:1])], 0)
        text = words.value_rowids()
        last = tf.concat([text[1:], [-1]], 0) != text
        pairs = self._table.lookup(tf.strings.join([flat, following], " "))
        pairs = tf.where(last, tf.constant(NOTHING, tf.int64), pairs)
        slots = tf.concat([of_word[:, :1], pairs[:, None], of_word[:, 1:]], 1)
        ids = words.with_values(tf.cast(slots, tf.int32))
        return ids.to_tensor(NOTHING, shape=[None, self.words, SLOTS])

    def _of_words(self, words):
        """Looks up int64 `[n, 17]` of `[n]` words: themselves, trigrams."""
        word = self._table.lookup(tf.strings.join(["=", words]))
        word = tf.where(word == NOTHING, tf.constant(UNKNOWN, tf.int64), word)
        ends = tf.strings.join(["<", words, ">"])
        letters = tf.strings.unicode_split(ends, "UTF-8")
        letters = letters.to_tensor("", shape=[None, LETTERS + 2])
        parts = [letters[:, n : n + LETTERS] for n in range(3)]
        trigrams = self._table.lookup(tf.strings.join(parts))
        is_full = parts[2] != ""
        trigrams = tf.where(is_full, trigrams, tf.zeros_like(trigrams))
        return tf.concat([word[:, None], trigrams], 1)

    def compute_output_shape(self, batch_shape):
        if self.form == "ids":
            return (batch_shape[0], self.words, self.slots)
        return (batch_shape[0], self.size)

    def changed(self, **options) -> "Tokens":
        """Returns a copy with other options, of this class itself."""
        return Tokens(**{**Tokens.get_config(self), **options})

    def get_config(self):
        keys = ("vocabulary", "idf", "words", "mask", "form")
        return {"name": self.name, **{key: getattr(self, key) for key in keys}}


def parts(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits rows into their two texts, in valid UTF-8.

    A row with one text returns it twice.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
    first = tf.strings.regex_replace(texts, f"(?s){PAIR}.*", "")
    second = tf.strings.regex_replace(texts, f"(?s)^[^{PAIR}]*{PAIR}", "")
    return first, second


def _merged(ids, weights):
    """Sums the weights of repeated ids into the first; sets the others to 0."""
    is_same = tf.cast(ids[:, :, None] == ids[:, None, :], tf.float32)
    count = tf.reduce_sum(is_same, axis=2)
    length = ids.shape[1]
    is_before = np.tri(length, k=-1, dtype=np.float32)
    is_first = tf.reduce_sum(is_same * is_before, axis=2) < 0.5
    ids = tf.where(is_first, ids, tf.zeros_like(ids))
    return ids, tf.where(is_first, weights * count, 0.0)


def unit_length(vectors: tf.Tensor) -> tf.Tensor:
    """Divides rows by their lengths; zeros stay zeros."""
    squares = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return vectors * tf.math.rsqrt(tf.maximum(squares, 1e-24))
