"""Draws two views of texts: dropped words, spans, swaps, pairs of the data."""

import tensorflow as tf

from byol_tf.checks import check_number
from byol_tf.modalities.text.layer import Tokens, parts
from byol_tf.modalities.text.tokens import NOTHING
from byol_tf.seeds import fractions

_PAIR = 1  # place of the pair with the next word among the features of one
_PLACES = 2  # numbers for `cut`: the position in a long text, per view
_SPAN, _FIRST, _OFFSET = range(3)  # further numbers of a view
_NUM_OTHERS = 3


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
        of_view = 2 * self.tokens.words + _NUM_OTHERS
        return fractions(seed, [count, _PLACES + 2 * of_view])

    def cut(self, row: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Converts a string, or both its texts, to int32 ids `[words, 18]`."""
        first, second = parts(row[None])
        if not self.paired:
            return (self._ids(first, numbers[0]),)
        return self._ids(first, numbers[0]), self._ids(second, numbers[1])

    def _ids(self, text, draw):
        """Returns ids of the words at a position of a text `[1]`."""
        words = self.tokens.split(text).values
        room = tf.maximum(tf.size(words) - self.tokens.words + 1, 1)
        start = tf.cast(draw * tf.cast(room, tf.float32), tf.int32)
        start = tf.minimum(start, room - 1)
        words = words[start : start + self.tokens.words]
        lengths = tf.size(words)[None]
        row = tf.RaggedTensor.from_row_lengths(words, lengths, validate=False)
        return self.tokens.ids(row)[0]

    def __call__(self, batch, seed: tf.Tensor):
        """Makes the views from the ids `[batch, words, 18]` of `cut`."""
        first, second = batch[0], batch[-1]
        numbers = self.numbers(seed, tf.shape(first)[0])
        halves = tf.split(numbers[:, _PLACES:], 2, axis=1)
        return tuple(
            self.tokens.prepared(self.change(ids, half))
            for ids, half in zip((first, second), halves, strict=True)
        )

    def change(self, ids: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Makes one view, ids of the same shape.

        Args:
            ids: int32 `[batch, words, 18]`.
            numbers: float32 `[batch, 2 words + 3]` in [0, 1).
        """
        words = self.tokens.words
        drops, swaps = numbers[:, :words], numbers[:, words : 2 * words]
        draws = tf.unstack(numbers[:, 2 * words :], axis=1)
        is_word = ids[:, :, 0] != NOTHING
        keep = is_word
        if self.span < 1:
            keep = _span(is_word, self.span, draws[_SPAN], draws[_FIRST])
        if self.drop > 0:
            keep = _dropped(keep, drops, self.drop)
        ids = tf.where(keep[..., None], ids, NOTHING)
        broken = keep & ~_next(keep)  # pairs with a word that was dropped
        if self.swap > 0:
            order, swapped = _swaps(keep, swaps, draws[_OFFSET], self.swap)
            ids = tf.gather(ids, order, batch_dims=1)
            broken = tf.gather(broken, order, batch_dims=1) | swapped
        slots = tf.range(ids.shape[2]) == _PAIR
        return tf.where(broken[..., None] & slots, NOTHING, ids)


def _next(flags):
    """Returns the flag of the next word for each word; False at the end."""
    return tf.concat([flags[:, 1:], tf.zeros_like(flags[:, :1])], axis=1)


def _dropped(keep, draws, probability):
    """Returns which words stay; the word with the highest draw always does."""
    draws = tf.where(keep, draws, -1.0)
    highest = tf.reduce_max(draws, axis=1, keepdims=True)
    return keep & ((draws >= probability) | (draws == highest))


def _span(is_word, min_share, length, first):
    """Returns contiguous words, at least a share of those that exist."""
    count = tf.reduce_sum(tf.cast(is_word, tf.float32), axis=1)
    size = tf.math.ceil(count * (min_share + (1 - min_share) * length))
    size = tf.maximum(size, 1.0)
    start = tf.floor(first * (count - size + 1))
    index = tf.range(is_word.shape[1], dtype=tf.float32)
    inside = (index >= start[:, None]) & (index < (start + size)[:, None])
    return is_word & inside


def _swaps(keep, draws, offset, probability):
    """Returns the order of words after swaps, and whose pairs are broken.

    Pairs of neighbours begin at even positions or at odd ones.
    """
    length = keep.shape[1]
    index = tf.range(length)
    odd = tf.cast(offset >= 0.5, tf.int32)[:, None]
    is_first = (index % 2 == odd) & keep & _next(keep) & (draws < probability)
    is_first &= index < length - 1
    is_second = tf.concat([tf.zeros_like(keep[:, :1]), is_first[:, :-1]], 1)
    order = index + tf.cast(is_first, tf.int32) - tf.cast(is_second, tf.int32)
    swapped = is_first | is_second
    return order, swapped | _next(swapped)


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
        draws = tf.split(numbers[:, _PLACES:], 2, axis=1)[0]
        words = tf.reduce_sum(tf.cast(ids[:, :, 0] != NOTHING, tf.int32), 1)
        view = tokens.prepared(self._views.change(ids, draws))
        return view, {"words": words}
