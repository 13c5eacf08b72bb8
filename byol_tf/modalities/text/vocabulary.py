"""Learns the vocabulary of texts, and the weights of its features."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from byol_tf.modalities.text.tokens import PAIR, features_of, words_of

LEAST_TEXTS = 2  # in which a feature must occur
WORDS = (8, 256)  # fewest and most words read of a text, by default
# What words and their pairs weigh beside trigrams, which say much of the same
# and forgive slips. Pairs of letters are the words of scripts without spaces.
SHARE = 0.5
_USUAL = 0.99  # share of the texts that are read whole, by default


class Vocabulary(NamedTuple):
    """The vocabulary of some texts.

    Attributes:
        features: the most frequent first.
        idf: `log((1 + texts) / (1 + texts with it)) + 1` of each; for words and
            pairs of words `SHARE` of that.
        words: length that nearly all texts do not exceed.
        texts: number of texts counted.
    """

    features: list[str]
    idf: list[float]
    words: int
    texts: int


def learn(
    texts: Iterable[str], size: int, mask: Sequence[str] = ()
) -> Vocabulary:
    """Counts the texts that contain each feature; keeps the most frequent.

    Args:
        texts: rows; both texts of a pair are counted.
        size: largest number of features; each occurs in two texts or more.
        mask: see `tokens.masked`.

    Raises:
        ValueError: if no feature occurs in two texts.
    """
    counts, lengths, features = Counter(), Counter(), {}
    for row in texts:
        for text in row.split(PAIR):
            words = words_of(text, mask)
            lengths[len(words)] += 1
            counts.update(_features(words, features))
    total = lengths.total()
    pairs = [pair for pair in counts.items() if pair[1] >= LEAST_TEXTS]
    if not pairs:
        raise ValueError(
            f"no word or part of a word is in two of the {total} texts, so "
            "no vocabulary can be learned; give more texts"
        )
    pairs = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:size]
    return Vocabulary(
        [feature for feature, _ in pairs],
        [round(_weight(*pair, total), 6) for pair in pairs],
        _usual_length(lengths),
        total,
    )


def _weight(feature, count, total):
    """Weighs a feature that occurs in `count` of `total` texts."""
    idf = math.log((1 + total) / (1 + count)) + 1
    is_letters = len(feature) == len("a b") and " " in feature
    is_word = feature.startswith("=") or (" " in feature and not is_letters)
    return SHARE * idf if is_word else idf


def _features(words, cache):
    """Collects the features of a text; caches those of words in `cache`."""
    collected = {f"{a} {b}" for a, b in itertools.pairwise(words)}
    for word in set(words):
        if word not in cache:
            ((feature, _, *trigrams),) = features_of([word])
            cache[word] = (feature, *trigrams)
        collected.update(cache[word])
    return collected


def _usual_length(lengths):
    """Returns a number of words that suffices for nearly all texts."""
    required, covered = _USUAL * lengths.total(), 0
    for length in sorted(lengths):
        covered += lengths[length]
        if covered >= required:
            break
    low, high = WORDS
    return min(max(length, low), high)
