"""One-line texts: errors, names, table cells, progress."""

import math
import time
import unicodedata
from collections.abc import Iterable, Sequence

from tqdm import tqdm

MOST_NAMES = 3  # paths or names shown in a message
FORMULA = ("=", "+", "-", "@")  # signs that start a formula


def first_line(error: object) -> str:
    """Returns the first line of an error; its type if it has no text."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def as_text(path: str) -> str:
    """Returns a path with bytes that are not UTF-8 escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


def progress_bar(
    title: str, iterable: Iterable | None = None, **options
) -> tqdm:
    """Makes a bar on the terminal; without `iterable`, `update` moves it."""
    return tqdm(
        iterable,
        desc=title,
        dynamic_ncols=True,
        mininterval=0.5,
        unit_scale=True,
        **options,
    )


def restart(bar: tqdm, num_done: int) -> None:
    """Moves a bar by `num_done`, and restarts its rate and time left."""
    bar.n += num_done
    bar.initial = bar.last_print_n = bar.n
    bar.start_t = bar.last_print_t = time.time()
    bar.refresh()


def printable(text: object) -> str:
    """Escapes a name for terminals, logs and tables.

    Line breaks, escape sequences, marks that change the direction of writing,
    and bytes that are not UTF-8 become `\\n`, `\\x1b`, `\\u202e`, `\\udcff`.
    """
    text = str(text)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character):
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


def nfc(text: str) -> str:
    """Returns the form in which names are compared (Unicode NFC)."""
    return unicodedata.normalize("NFC", text)


def csv_cell(value: object) -> object:
    """Returns a value for a CSV file: printable, and not a formula.

    A text that begins like a formula gets an apostrophe in front. Numbers stay
    numbers.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    formula = len(text) > 1 and text.startswith(FORMULA)
    return f"'{text}" if formula and not _is_number(text) else text


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def number_of(text: str | None) -> float:
    """Returns the number that a text is; NaN if it is none or missing."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def plural(noun: str) -> str:
    """Returns the plural of a word for rows: "image", "history"."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def some(names: Sequence, most: int = MOST_NAMES) -> str:
    """Formats the first of some paths or names, for a message."""
    text = ", ".join(printable(repr(name)) for name in names[:most])
    return text + (", ..." if len(names) > most else "")
