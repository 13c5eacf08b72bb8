"""Finds the kind of data from its files, and the recipe that suits it.

To add a kind, add a line to `KINDS` with the extensions of its modality; a test
compares them.
"""

import os
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from configs.words import SPLITS

LOOKED_AT = 1000  # files looked at, so that a million is not listed twice
_SYSTEM = (".", "@", "#", "$", "lost+found", "__MACOSX")  # prefixes of names


class Kind(NamedTuple):
    """How to recognise the files of a modality.

    Attributes:
        recipe: name or file of the default configuration.
        extensions: extensions of its files, in lower case.
        noun: word for one file; "": the name of the modality.
        tables: extensions of files with many examples. Other kinds may have
            such files too, as lists of labels.
        file: name of a file that only folders of this kind have; "": none.
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
# Fields and sections of the commands' configurations that are for one kind.
OWN = {
    "image": (
        *("augment", "view", "size", "image_size", "crop_fraction"),
        *("max_pixels", "data.image_size", "data.channels", "data.window"),
        *("data.store_side", "data.max_megapixels", "encoder.blocks"),
        *("encoder.stem", "encoder.mean", "encoder.std"),
    ),
    "audio": ("audio", "data.window_seconds"),
    "text": ("text", "data.text_column", "data.pair_column", "data.mask"),
    "history": ("history",),
}
SHARED = ("augment.place",)  # in a section of one kind, but for all
DEFAULT = "image"  # for arrays, and if no file is recognised


def kind_of(data: str) -> tuple[str, str]:
    """Returns the kind of data in a folder or table.

    Args:
        data: value of `--data`.

    Returns:
        A key of `KINDS`, and a line that says why; "" for the default.
    """
    folder = pathlib.Path(data).expanduser()
    for name, kind in KINDS.items():
        if kind.file and (folder / kind.file).is_file():
            line = f"Data: {name}, from {kind.file}; change it by --modality="
            return name, line
    seen = Counter(map(_extension, _names(folder)))
    found = Counter()
    # Folders of every kind may hold notes and lists, so texts come last.
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
    files = f"{count} files ({', '.join(shown[:3])})"
    line = f"Data: {nouns[name]}s, from {files}{rest}"
    return name, f"{line}; change it by --modality="


def check_fields(modality: str, arguments: Sequence[str]) -> None:
    """Raises a ValueError if a field is set that the kind of data does not use.

    Args:
        modality: kind of the data; one that is no key of `KINDS` may use all.
        arguments: command line, of which `--config.FIELD=VALUE` is looked at.
    """
    found = (a for a in arguments if a.startswith("--config."))
    for argument in found if modality in OWN else ():
        field = argument.removeprefix("--config.").partition("=")[0]
        kind = kind_of_field(field)
        if kind not in (None, modality):
            raise ValueError(
                f"{field} is for modality={kind} and has no effect on "
                f"modality={modality}; leave it out"
            )


def kind_of_field(field: str) -> str | None:
    """Returns the only kind of data that uses a field; None: all do."""
    if field in SHARED:
        return None
    for kind, names in OWN.items():
        if any(field == n or field.startswith(f"{n}.") for n in names):
            return kind
    return None


def text_tables(data: str) -> list[str]:
    """Returns the names of the tables of texts in a folder or at a path.

    If a table is named after the training split, returns all tables named after
    splits; else those with a column `text`. A single file needs no such column,
    except a CSV file, which may list files instead.
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
    """Returns whether the first line of a table names a column `text`."""
    with open(path, "rb") as file:
        first = file.readline(10_000).decode("utf-8-sig", "replace")
    marks = str.maketrans(dict.fromkeys("\"'{};:\t", ","))
    names = [cell.strip() for cell in first.translate(marks).split(",")]
    return path.suffix.lower() not in (".txt", ".parquet") and "text" in names


def without_system(names: list[str]) -> list[str]:
    """Returns names except those of hidden and system folders."""
    return sorted(name for name in names if not name.startswith(_SYSTEM))


def is_file_name(text: str) -> bool:
    """Returns whether a text ends with the extension of a known kind."""
    every = {e for kind in KINDS.values() for e in kind.extensions}
    return _extension(text) in every


def _extension(name):
    return os.path.splitext(name)[1].lower()


def _names(path) -> Iterator[str]:
    """Yields up to `LOOKED_AT` names of known files in a folder or table."""
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
            for line in lines:  # any of the cells may be the path
                yield from (cell.strip().strip('"') for cell in line.split(","))
        return
    for _, folders, files in os.walk(path):
        folders[:] = without_system(folders)
        yield from files
