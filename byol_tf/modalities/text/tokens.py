"""Converts a text to the ids of its features, without TensorFlow.

The layer in `layer.py` does the same with TensorFlow's operations. ONNX and
LiteRT models cannot take strings. Programs that call them can copy this file,
which imports only the standard library, and take the vocabulary from the
model's folder.

Kinds of characters are recognised by ranges, not by Unicode's categories:
Python and TensorFlow know different versions of Unicode.
"""

import re
from collections.abc import Iterable, Sequence

PAIR = "\x1e"  # separates the two texts of a pair
LETTERS = 16  # per word; longer words are split
SLOTS = LETTERS + 2  # per word: itself, the pair with the next, its trigrams
NOTHING, UNKNOWN, FIRST = 0, 1, 2  # ids; the vocabulary begins at FIRST

# Separators of words: controls, spaces, direction marks, damaged bytes.
_SPACES = (
    *((0x00, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x1680, 0x1680)),
    *((0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x206F)),
    *((0x3000, 0x3000), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF0, 0xFFFD)),
)
# Characters that are words: signs, and letters of scripts without spaces.
_SIGNS = (
    *((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    *((0xA1, 0xA9), (0xAB, 0xAC), (0xAE, 0xB4), (0xB6, 0xB9), (0xBB, 0xBF)),
    *((0xD7, 0xD7), (0xF7, 0xF7), (0x2010, 0x2027), (0x2030, 0x205E)),
    *((0x20A0, 0x20CF), (0x2100, 0x214F), (0x2190, 0x2BFF)),
    *((0x2E00, 0x2E7F), (0x3001, 0x303F), (0xFE10, 0xFE1F)),
    *((0xFE30, 0xFE6F), (0xFF01, 0xFF0F), (0xFF1A, 0xFF20)),
    *((0xFF3B, 0xFF40), (0xFF5B, 0xFF65), (0x1F000, 0x1FAFF)),
)
_WITHOUT_SPACES = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Khmer
    *((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),  # kana
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)),  # Han
    (0x20000, 0x3FFFF),
)
_DIGIT = "0-9\u0660-\u0669\u06f0-\u06f9\uff10-\uff19"
# Patterns to mask, before anything else, and the words that replace them.
MASKS = {
    "emails": (
        r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+",
        " maskedemail ",
    ),
    "phones": (
        rf"\+?\(?[{_DIGIT}][{_DIGIT} ().\-/]{{5,}}[{_DIGIT}]",
        " maskedphone ",
    ),
    "numbers": (rf"[{_DIGIT}]+(?:[.,:][{_DIGIT}]+)*", " maskednumber "),
}


def _characters(ranges):
    """Makes a class of a regular expression, for Python's `re` and for RE2."""
    parts = (f"{_escaped(a)}-{_escaped(b)}" for a, b in ranges)
    return f"[{''.join(parts)}]"


def _escaped(code):
    return f"\\x{code:02x}" if code < 0x80 else chr(code)


# One after another: (pattern, replacement), and between the first two and the
# others the text is put into lower case. "\0" stands for the match.
BEFORE_LOWER = (
    (_characters(_SPACES), " "),
    ("[\u03a3\u03c2]", "\u03c3"),  # sigma, which has two small letters
    ("\u0130", "i"),  # the Turkish I, whose small letter is two characters
)
AFTER_LOWER = (
    (_characters(_SIGNS + _WITHOUT_SPACES), r" \0 "),
    (f"[^ ]{{{LETTERS}}}", r"\0 "),
)


def masked(text: str, mask: Iterable[str]) -> str:
    """Returns the text with everything masked that `mask` names."""
    for name in mask:
        pattern, word = MASKS[name]
        text = re.sub(pattern, word, text)
    return text


def words_of(text: str, mask: Sequence[str] = ()) -> list[str]:
    """Splits a text into words, in lower case."""
    text = masked(text, mask)
    for pattern, new in BEFORE_LOWER:
        text = re.sub(pattern, new, text)
    text = text.lower()
    for pattern, new in AFTER_LOWER:
        text = re.sub(pattern, new.replace(r"\0", r"\g<0>"), text)
    return [word for word in text.split(" ") if word]


def features_of(words: Sequence[str]) -> list[list[str]]:
    """Lists features of each word: itself, the pair with the next, trigrams."""
    following = [*words[1:], ""]
    return [
        [f"={word}", f"{word} {after}" if after else "", *_trigrams(word)]
        for word, after in zip(words, following, strict=False)
    ]


def _trigrams(word):
    ends = f"<{word}>"
    return [ends[place : place + 3] for place in range(len(word))]


class Tokenizer:
    """Converts texts to the same ids as the layer `Tokens`.

    Args:
        vocabulary: features; the first has the id 2.
        words: number of words to read from the start of a text.
        mask: keys of `MASKS` to mask.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        words: int,
        mask: Sequence[str] = (),
    ):
        self._ids = {word: FIRST + n for n, word in enumerate(vocabulary)}
        self.words, self.mask = words, tuple(mask)

    def __call__(self, text: str | bytes) -> list[list[int]]:
        """Returns ids `[words, SLOTS]` of a text; 0: nothing, 1: unknown word.

        Of a pair of texts, the first is used.
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        words = words_of(text.partition(PAIR)[0], self.mask)[: self.words]
        rows = [self._of_word(features) for features in features_of(words)]
        return rows + [[NOTHING] * SLOTS] * (self.words - len(rows))

    def _of_word(self, features):
        word, *others = features
        ids = [self._ids.get(word, UNKNOWN)]
        ids += [self._ids.get(other, NOTHING) for other in others]
        return ids + [NOTHING] * (SLOTS - len(ids))
