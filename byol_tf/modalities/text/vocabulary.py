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
    texts: Iterable[str], most: int, mask: Sequence[str] = ()
) -> Vocabulary:
    """Counts the texts that contain each feature; keeps the most frequent.

    Args:
        texts: rows; both texts of a pair are counted.
        most: largest number of features; each occurs in two texts or more.
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
    kept = [pair for pair in counts.items() if pair[1] >= LEAST_TEXTS]
    if not kept:
        raise ValueError(
            f"no word or part of a word is in two of the {total} texts, so "
            "no vocabulary can be learned; give more texts"
        )
    kept = sorted(kept, key=lambda pair: (-pair[1], pair[0]))[:most]
    return Vocabulary(
        [feature for feature, _ in kept],
        [round(_weight(*pair, total), 6) for pair in kept],
        _usual_length(lengths),
        total,
    )


def _weight(feature, count, total):
    """Weighs a feature that occurs in `count` of `total` texts."""
    idf = math.log((1 + total) / (1 + count)) + 1
    letters = len(feature) == len("a b") and " " in feature
    whole = feature.startswith("=") or (" " in feature and not letters)
    return SHARE * idf if whole else idf


def _features(words, known):
    """Collects the features of a text; caches those of words in `known`."""
    found = {f"{a} {b}" for a, b in itertools.pairwise(words)}
    for word in set(words):
        if word not in known:
            ((own, _, *trigrams),) = features_of([word])
            known[word] = (own, *trigrams)
        found.update(known[word])
    return found


def _usual_length(lengths):
    """Returns a number of words that suffices for nearly all texts."""
    wanted, seen = _USUAL * lengths.total(), 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= wanted:
            break
    low, high = WORDS
    return min(max(length, low), high)
