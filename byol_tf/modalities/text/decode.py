"""Converts files and cells of tables to rows of texts."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from byol_tf.data.rows import Unreadable
from byol_tf.modalities.text.tokens import masked

EXTENSIONS = (".txt", ".text", ".md")
EMPTY = "an empty text"
_GUESSES = ("utf-16", "gb18030", "shift_jis", "cp1252")
_MOST_BYTES = 2**20


class TextError(Unreadable):
    """A text that cannot be used; the message gives the reason."""


class Reading:
    """Reads texts to rows.

    Args:
        mask: keys of `tokens.MASKS` to mask.
    """

    def __init__(self, mask: Sequence[str] = ()):
        self.mask = tuple(mask)

    def __call__(self, data) -> np.ndarray:
        """Returns UTF-8 bytes, as an array without axes.

        Args:
            data: path of a file, bytes, or a text.

        Raises:
            TextError: if it is empty, or not UTF-8.
        """
        text = masked(text_of(data), self.mask)
        return np.array(text.encode())


def text_of(data) -> str:
    """Returns the text of a path, of bytes, or of a string that is no path.

    Raises:
        TextError: if it is empty, not UTF-8, or cannot be opened.
    """
    if isinstance(data, str) and not _is_file(data):
        data = data.encode("utf-8", "surrogateescape")
    if not isinstance(data, bytes):
        try:
            data = pathlib.Path(data).read_bytes()
        except OSError as error:
            raise TextError(f"cannot be opened: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise TextError(f"{len(data)} bytes, more than {_MOST_BYTES}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(_not_utf8(data, error)) from error
    if "\0" in text:
        raise TextError("it has a zero byte, so it is no text in UTF-8")
    if not text.strip():
        raise TextError(EMPTY)
    return text


def _is_file(text):
    try:
        return os.path.isfile(text)
    except ValueError:  # a zero byte
        return False


def _not_utf8(data, error):
    fits = [name for name in _GUESSES if _decodes(data, name)]
    guess = f"; it could be {' or '.join(fits)}" if fits else ""
    return (
        f"not UTF-8: byte 0x{data[error.start]:02x} at {error.start}{guess}; "
        "convert it to UTF-8"
    )


def _decodes(data, encoding):
    try:
        return data.decode(encoding).isprintable()
    except UnicodeDecodeError:
        return False
