"""Kinds of data, seen from the files: which recipe suits them.

A further kind is one more line of `KINDS`, with the extensions that its
modality names; a test compares them.
"""

import os
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from configs.words import SPLITS

LOOKED_AT = 1000  # files, at most: a million need not be listed twice
_SYSTEM = (".", "@", "#", "$", "lost+found", "__MACOSX")  # beginnings of names


class Kind(NamedTuple):
    """A modality, as a folder shows it.

    Attributes:
        recipe: name or file of the configuration where none is given.
        extensions: of its files, in lower case.
        noun: what a file is; "" for the name of the modality.
        tables: of files with many of them, which lie beside files of other
            kinds as well, as lists of labels.
        file: by which alone a folder of it is known; "" for none.
    """

    recipe: str
    extensions: tuple[str, ...]
    noun: str = ""
    tables: tuple[str, ...] = ()
    file: str = ""


KINDS = {
    "image": Kind(
        "photos",
        (
            *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp"),
            *(".webp", ".tif", ".tiff", ".npy", ".avif", ".heic", ".heif"),
        ),
    ),
    "audio": Kind(
        "speech",
        (
            *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif"),
            *(".aiff", ".au", ".caf", ".m4a", ".aac", ".wma"),
        ),
        "sound",
    ),
    "text": Kind(
        "text",
        (".txt", ".text", ".md"),
        tables=(".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"),
    ),
    "history": Kind(
        "histories", (".history",), "history file", file="interactions.csv"
    ),
}
DEFAULT = "image"  # of arrays, and where no file is known


def kind_of(data: str) -> tuple[str, str]:
    """Sees from the files of a folder or a table what they are.

    Args:
        data: what `--data` names.

    Returns:
        A key of `KINDS`, and a line that says why; "" where nothing was seen.
    """
    folder = pathlib.Path(data).expanduser()
    for name, kind in KINDS.items():
        if kind.file and (folder / kind.file).is_file():
            line = f"Data: {name}, by {kind.file}; --modality= says otherwise"
            return name, line
    seen = Counter(map(_extension, _names(folder)))
    found = Counter()
    # Notes and lists lie beside files of every kind, so texts come last.
    for name, kind in sorted(KINDS.items(), key=lambda item: item[1].tables):
        if kind.tables and any(found.values()):
            break
        found[name] = sum(seen[extension] for extension in kind.extensions)
        if kind.tables and (tables := text_tables(data)):
            seen, found[name] = Counter(map(_extension, tables)), len(tables)
    (name, count), *others = found.most_common()
    if not count:
        return DEFAULT, ""
    known = KINDS[name].extensions + KINDS[name].tables
    shown = [e for e, _ in seen.most_common() if e in known]
    nouns = {key: kind.noun or key for key, kind in KINDS.items()}
    rest = "".join(f", {n} are {nouns[other]}s" for other, n in others if n)
    line = (
        f"Data: {nouns[name]}s, by {count} files ({', '.join(shown[:3])}){rest}"
    )
    return name, f"{line}; --modality= says otherwise"


def text_tables(data: str) -> list[str]:
    """Names of the tables of texts in a folder, or of the table itself.

    They are those called after splits, of training at least; else those with
    a column `text`.
    """
    path = pathlib.Path(data).expanduser()
    files = [path] if path.is_file() else sorted(path.glob("*"))
    files = [f for f in files if _is_table(f) and f.name != "labels.csv"]
    every = SPLITS["train"] + SPLITS["test"] + SPLITS["validation"]
    named = [f.name for f in files if f.stem.lower() in every]
    if any(_stem(name) in SPLITS["train"] for name in named):
        return named
    if path.is_file() and path.suffix.lower() != ".csv":
        return [f.name for f in files]
    return [f.name for f in files if _has_texts(f)]


def _is_table(path):
    tables = (*KINDS["text"].tables, ".txt")
    return path.suffix.lower() in tables and path.is_file()


def _stem(name):
    return os.path.splitext(name)[0].lower()


def _has_texts(path):
    """Whether the first line of a table names a column `text`."""
    with open(path, "rb") as file:
        first = file.readline(10_000).decode("utf-8-sig", "replace")
    marks = str.maketrans(dict.fromkeys("\"'{};:\t", ","))
    names = [cell.strip() for cell in first.translate(marks).split(",")]
    return path.suffix.lower() not in (".txt", ".parquet") and "text" in names


def without_system(names: list[str]) -> list[str]:
    """The names of folders that are not hidden, and not a system's own."""
    return sorted(name for name in names if not name.startswith(_SYSTEM))


def is_file_name(text: str) -> bool:
    """Whether a text ends as files of a known kind do."""
    every = {e for kind in KINDS.values() for e in kind.extensions}
    return _extension(text) in every


def _extension(name):
    return os.path.splitext(name)[1].lower()


def _names(path) -> Iterator[str]:
    """Names of files of known kinds below a folder or in a table, some."""
    known = {e for kind in KINDS.values() for e in kind.extensions}
    count = 0
    for name in _all_names(path):
        if _extension(name) in known:
            yield name
            count += 1
            if count == LOOKED_AT:
                return


def _all_names(path):
    if path.suffix.lower() == ".csv" and path.is_file():
        with open(path, encoding="utf-8-sig", errors="replace") as lines:
            for line in lines:  # whichever of its cells is the path
                yield from (cell.strip().strip('"') for cell in line.split(","))
        return
    for _, folders, files in os.walk(path):
        folders[:] = without_system(folders)
        yield from files
