"""Kinds of data, seen from the files: which recipe suits them.

A further kind is one more line of `KINDS`, with the extensions that its
modality names; a test compares them.
"""

import os
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

LOOKED_AT = 1000  # files, at most: a million need not be listed twice
_SYSTEM = (".", "@", "#", "$", "lost+found", "__MACOSX")  # beginnings of names


class Kind(NamedTuple):
    """A modality, as a folder shows it.

    Attributes:
        recipe: name or file of the configuration where none is given.
        extensions: of its files, in lower case.
        noun: what a file is; "" for the name of the modality.
    """

    recipe: str
    extensions: tuple[str, ...]
    noun: str = ""


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
}
DEFAULT = "image"  # of arrays, and where no file is known


def kind_of(data: str) -> tuple[str, str]:
    """Sees from the files of a folder or a table what they are.

    Args:
        data: what `--data` names.

    Returns:
        A key of `KINDS`, and a line that says why; "" where nothing was seen.
    """
    seen = Counter(map(_extension, _names(pathlib.Path(data).expanduser())))
    found = Counter()
    for name, kind in KINDS.items():
        found[name] = sum(seen[extension] for extension in kind.extensions)
    (name, count), *others = found.most_common()
    if not count:
        return DEFAULT, ""
    shown = [e for e, _ in seen.most_common() if e in KINDS[name].extensions]
    nouns = {key: kind.noun or key for key, kind in KINDS.items()}
    rest = "".join(f", {n} are {nouns[other]}s" for other, n in others if n)
    line = (
        f"Data: {nouns[name]}s, by {count} files ({', '.join(shown[:3])}){rest}"
    )
    return name, f"{line}; --modality= says otherwise"


def without_system(names: list[str]) -> list[str]:
    """The names of folders that are not hidden, and not a system's own."""
    return sorted(name for name in names if not name.startswith(_SYSTEM))


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
