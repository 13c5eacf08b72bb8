"""Draws two views of texts: dropped words, spans, swaps, pairs of the data."""

import tensorflow as tf

from byol_tf.checks import check_number
from byol_tf.modalities.text.layer import Tokens, parts
from byol_tf.modalities.text.tokens import NOTHING
from byol_tf.seeds import fractions

_PAIR = 1  # place of the pair with the next word among the features of one
_PLACES = 2  # numbers for `cut`: the position in a long text, per view
_SPAN, _FIRST, _OFFSET = range(3)  # further numbers of a view
_OTHERS = 3


class TextViews:
    """Draws two views of every text.

    Both start from the same words of the text, or from the two texts of a pair.
    If a text is longer than the encoder reads, the words are taken at a random
    position.

    With `drop=0`, `span=1` and `swap=0` both views are the unchanged text, and
    only the encoder's dropout makes them differ.

    Args:
        tokens: the preprocessor.
        drop: probability that a word is left out; at least one is kept.
        span: smallest share of a text's words in a view, taken contiguously; 1:
            all.
        swap: probability that a word is swapped with the next.
        paired: whether the data have two texts per row.
    """

    def __init__(
        self,
        tokens: Tokens,
        drop: float = 0.5,
        span: float = 1.0,
        swap: float = 0.0,
        paired: bool = False,
    ):
        self.tokens = tokens
        self.drop = check_number("drop", drop, 0, 1)
        self.span = check_number("span", span, 0, 1)
        self.swap = check_number("swap", swap, 0, 1)
        self.paired = bool(paired)

    def numbers(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        # Two draws per word: whether it is left out, whether it is swapped.
        of_view = 2 * self.tokens.words + _OTHERS
        return fractions(seed, [count, _PLACES + 2 * of_view])

    def cut(self, row: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Converts a string, or both its texts, to int32 ids `[words, 18]`."""
        first, second = parts(row[None])
        if not self.paired:
            return (self._ids(first, numbers[0]),)
        return self._ids(first, numbers[0]), self._ids(second, numbers[1])

    def _ids(self, text, drawn):
        """Returns ids of the words at a position of a text `[1]`."""
        words = self.tokens.split(text).values
        room = tf.maximum(tf.size(words) - self.tokens.words + 1, 1)
        start = tf.cast(drawn * tf.cast(room, tf.float32), tf.int32)
        start = tf.minimum(start, room - 1)
        words = words[start : start + self.tokens.words]
        lengths = tf.size(words)[None]
        row = tf.RaggedTensor.from_row_lengths(words, lengths, validate=False)
        return self.tokens.ids(row)[0]

    def __call__(self, batch, seed: tf.Tensor):
        """Makes the views from the ids `[batch, words, 18]` of `cut`."""
        first, second = batch[0], batch[-1]
        numbers = self.numbers(seed, tf.shape(first)[0])
        own = tf.split(numbers[:, _PLACES:], 2, axis=1)
        return tuple(
            self.tokens.prepared(self.change(ids, drawn))
            for ids, drawn in zip((first, second), own, strict=True)
        )

    def change(self, ids: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Makes one view, ids of the same shape.

        Args:
            ids: int32 `[batch, words, 18]`.
            numbers: float32 `[batch, 2 words + 3]` in [0, 1).
        """
        words = self.tokens.words
        drops, swaps = numbers[:, :words], numbers[:, words : 2 * words]
        rest = tf.unstack(numbers[:, 2 * words :], axis=1)
        there = ids[:, :, 0] != NOTHING
        kept = there
        if self.span < 1:
            kept = _span(there, self.span, rest[_SPAN], rest[_FIRST])
        if self.drop > 0:
            kept = _dropped(kept, drops, self.drop)
        ids = tf.where(kept[..., None], ids, NOTHING)
        broken = kept & ~_next(kept)  # pairs with a word that was dropped
        if self.swap > 0:
            order, moved = _swaps(kept, swaps, rest[_OFFSET], self.swap)
            ids = tf.gather(ids, order, batch_dims=1)
            broken = tf.gather(broken, order, batch_dims=1) | moved
        slots = tf.range(ids.shape[2]) == _PAIR
        return tf.where(broken[..., None] & slots, NOTHING, ids)


def _next(flags):
    """Returns the flag of the next word for each word; False at the end."""
    return tf.concat([flags[:, 1:], tf.zeros_like(flags[:, :1])], axis=1)


def _dropped(kept, drawn, probability):
    """Returns which words stay; the word with the highest draw always does."""
    drawn = tf.where(kept, drawn, -1.0)
    highest = tf.reduce_max(drawn, axis=1, keepdims=True)
    return kept & ((drawn >= probability) | (drawn == highest))


def _span(there, least, length, first):
    """Returns contiguous words, at least a share of those that exist."""
    count = tf.reduce_sum(tf.cast(there, tf.float32), axis=1)
    size = tf.math.ceil(count * (least + (1 - least) * length))
    size = tf.maximum(size, 1.0)
    start = tf.floor(first * (count - size + 1))
    place = tf.range(there.shape[1], dtype=tf.float32)
    inside = (place >= start[:, None]) & (place < (start + size)[:, None])
    return there & inside


def _swaps(kept, drawn, offset, probability):
    """Returns the order of words after swaps, and whose pairs are broken.

    Pairs of neighbours begin at even positions or at odd ones.
    """
    length = kept.shape[1]
    place = tf.range(length)
    odd = tf.cast(offset >= 0.5, tf.int32)[:, None]
    is_first = (place % 2 == odd) & kept & _next(kept) & (drawn < probability)
    is_first &= place < length - 1
    is_second = tf.concat([tf.zeros_like(kept[:, :1]), is_first[:, :-1]], 1)
    order = place + tf.cast(is_first, tf.int32) - tf.cast(is_second, tf.int32)
    moved = is_first | is_second
    return order, moved | _next(moved)


class TrainView:
    """The milder view for training with labels: drops some words.

    Args:
        tokens: the preprocessor.
        drop: probability that a word is left out.
    """

    compiles = False  # XLA does not support strings

    def __init__(self, tokens: Tokens, drop: float = 0.1):
        self._views = TextViews(tokens, drop)

    def __call__(self, rows, seed):
        tokens = self._views.tokens
        ids = tokens.read(rows)
        numbers = self._views.numbers(seed, tf.shape(ids)[0])
        drawn = tf.split(numbers[:, _PLACES:], 2, axis=1)[0]
        words = tf.reduce_sum(tf.cast(ids[:, :, 0] != NOTHING, tf.int32), 1)
        view = tokens.prepared(self._views.change(ids, drawn))
        return view, {"words": words}
