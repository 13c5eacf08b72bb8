"""Two views of texts: words dropped, spans, swaps, pairs of the data."""

import tensorflow as tf

from byol_tf.checks import check_number
from byol_tf.modalities.text.layer import Tokens, parts
from byol_tf.modalities.text.tokens import NOTHING
from byol_tf.seeds import fractions

_PAIR = 1  # place of the pair with the next word among the features of one
_PLACES = 2  # numbers of `cut`, the place in a long text of each view
_SPAN, _FIRST, _OFFSET = range(3)  # further numbers of a view
_OTHERS = 3


class TextViews:
    """Two views of every text.

    Each begins with the same words of the text, or with the two texts of a
    row that has two. Of a text that is longer than the encoder reads, they
    are those at a random place.

    Args:
        tokens: the preprocessor.
        drop: probability of each word to be left out; at least one is kept.
        span: least share of a text's words that a view has, neighbours of
            each other; 1: all.
        swap: probability of a word to change places with the next.
        paired: whether the data have two texts a row.

    With `drop=0`, `span=1` and `swap=0` both are the text as it is, and the
    encoder's dropout is the only difference.
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
        # Draws of each word to be left out and to be swapped.
        of_view = 2 * self.tokens.words + _OTHERS
        return fractions(seed, [count, _PLACES + 2 * of_view])

    def cut(self, row: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Gives int32 ids `[words, 18]` of a string, or of both its texts."""
        first, second = parts(row[None])
        if not self.paired:
            return (self._ids(first, numbers[0]),)
        return self._ids(first, numbers[0]), self._ids(second, numbers[1])

    def _ids(self, text, drawn):
        """Ids of the words at a place of a text `[1]`."""
        words = self.tokens.split(text).values
        room = tf.maximum(tf.size(words) - self.tokens.words + 1, 1)
        start = tf.cast(drawn * tf.cast(room, tf.float32), tf.int32)
        start = tf.minimum(start, room - 1)
        words = words[start : start + self.tokens.words]
        lengths = tf.size(words)[None]
        row = tf.RaggedTensor.from_row_lengths(words, lengths, validate=False)
        return self.tokens.ids(row)[0]

    def __call__(self, batch, seed: tf.Tensor):
        """Makes the views of ids `[batch, words, 18]` of `cut`."""
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
        broken = kept & ~_next(kept)  # pairs with a word that is gone
        if self.swap > 0:
            order, moved = _swaps(kept, swaps, rest[_OFFSET], self.swap)
            ids = tf.gather(ids, order, batch_dims=1)
            broken = tf.gather(broken, order, batch_dims=1) | moved
        slots = tf.range(ids.shape[2]) == _PAIR
        return tf.where(broken[..., None] & slots, NOTHING, ids)


def _next(flags):
    """Of each word the flag of the next one; False at the end."""
    return tf.concat([flags[:, 1:], tf.zeros_like(flags[:, :1])], axis=1)


def _dropped(kept, drawn, probability):
    """Which words stay; of each text the one that was drawn highest does."""
    drawn = tf.where(kept, drawn, -1.0)
    highest = tf.reduce_max(drawn, axis=1, keepdims=True)
    return kept & ((drawn >= probability) | (drawn == highest))


def _span(there, least, length, first):
    """Neighbouring words, at least a share of those that there are."""
    count = tf.reduce_sum(tf.cast(there, tf.float32), axis=1)
    size = tf.math.ceil(count * (least + (1 - least) * length))
    size = tf.maximum(size, 1.0)
    start = tf.floor(first * (count - size + 1))
    place = tf.range(there.shape[1], dtype=tf.float32)
    inside = (place >= start[:, None]) & (place < (start + size)[:, None])
    return there & inside


def _swaps(kept, drawn, offset, probability):
    """The order of words after swaps, and whose pairs no longer hold.

    Couples of neighbours begin at even places or at odd ones.
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
    """The milder view of training with labels: some words are left out.

    Args:
        tokens: the preprocessor.
        drop: probability of each word to be left out.
    """

    compiles = False  # XLA has no strings

    def __init__(self, tokens: Tokens, drop: float = 0.1):
        self._views = TextViews(tokens, drop)

    def __call__(self, rows, seed):
        tokens = self._views.tokens
        first, _ = parts(rows)
        ids = tokens.ids(tokens.split(first))
        numbers = self._views.numbers(seed, tf.shape(ids)[0])
        drawn = tf.split(numbers[:, _PLACES:], 2, axis=1)[0]
        words = tf.reduce_sum(tf.cast(ids[:, :, 0] != NOTHING, tf.int32), 1)
        view = tokens.prepared(self._views.change(ids, drawn))
        return view, {"words": words}
