"""Finds files below a folder, and counts what is left out."""

import os
import pathlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from absl import logging

from byol_tf.data.remote import RemotePath, entries
from byol_tf.lines import nfc, printable

# Made by Synology, QNAP, Windows, Linux and macOS.
SYSTEM = (
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@tmp", "@sharebin"),
    *("$recycle.bin", "recycler", "system volume information", "found.000"),
    *("lost+found", "__macosx"),
)
# Companions of images, such as labels and notes.
NOTES = (
    *(".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml"),
    *(".txt", ".md", ".html", ".db", ".ini"),
)
RUN = {"config.yaml", "metrics.jsonl"}  # files that identify a run folder
MOST_SHOWN = 10  # classes, or reasons for leaving out, in a line
OTHERS = "files with "  # and their extension: of another kind


def find_files(
    root: pathlib.Path, extensions: Collection[str], name: str
) -> list[str]:
    """Returns relative paths of the files of one kind below a folder, sorted.

    Leaves out hidden files, and hidden and system folders. Raises a ValueError
    if there is none. Arguments are as for `find_layout`.
    """
    left_out = Counter()
    paths = sorted(files_below(root, extensions, left_out))
    check_found(paths, root, extensions, name, left_out)
    if counts := notable_counts(left_out):
        logging.info(
            "Left out in %s: %s.", printable(root), format_counts(counts)
        )
    return paths


def files_below(
    root: pathlib.Path | RemotePath,
    extensions: Collection[str],
    left_out: Counter,
    tops: Collection[str] | None = None,
) -> Iterator[str]:
    """Yields relative paths of files; counts what is left out.

    Follows links, except those to a folder above. With `tops`, names in NFC,
    looks at nothing else directly below the root.
    """
    is_remote = isinstance(root, RemotePath)
    pending = [("", (str(root) if is_remote else os.path.realpath(root),))]
    while pending:
        folder, parents = pending.pop()
        folder_entries = _entries(root / folder if folder else root, left_out)
        if folder and {entry.name for entry in folder_entries} >= RUN:
            left_out["run folders"] += 1  # with our pictures and caches
            continue
        for entry in folder_entries:
            if not (folder or tops is None or nfc(entry.name) in tops):
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            if is_folder(entry):
                real_path = _real_path(entry, parents[-1])
                if is_system(entry.name):
                    left_out[f"folders {printable(entry.name)}"] += 1
                elif real_path in parents:
                    left_out["links to a folder above"] += 1
                else:
                    pending.append((path, (*parents, real_path)))
            elif _is_wanted(entry, extensions, left_out):
                yield path


def _entries(folder, left_out):
    try:
        return entries(folder)
    except OSError as error:
        left_out["folders that cannot be read"] += 1
        logging.warning(
            "Left out the folder %s: %s.",
            *(printable(folder), error.strerror or error),
        )
        return []


def _is_wanted(entry, extensions, left_out):
    extension = os.path.splitext(entry.name)[1].lower()
    if extension not in extensions:
        if entry.name[0] == ".":
            return False
        left_out[OTHERS + printable(extension or "no extension")] += 1
    elif entry.name[0] == ".":
        left_out["hidden files"] += 1
    else:  # also pipes and dead links; decoding reports them
        return True
    return False


def is_folder(entry: os.DirEntry) -> bool:
    """Returns whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _real_path(entry, parent):
    if entry.is_symlink():
        return os.path.realpath(entry.path)
    return os.path.join(parent, entry.name)


def is_system(name: str) -> bool:
    """Returns whether a folder is hidden, or made by a system."""
    return name[0] == "." or nfc(name).casefold() in SYSTEM


def notable_counts(left_out: Counter) -> dict[str, int]:
    """Returns what may have been meant to be included, most frequent first."""
    notes = {OTHERS + extension for extension in NOTES}
    counts = left_out.most_common()
    return {key: count for key, count in counts if key not in notes}


def format_counts(counts: Mapping[str, int]) -> str:
    """Formats numbers and what they count in one line."""
    parts = [f"{n} {key}" for key, n in list(counts.items())[:MOST_SHOWN]]
    more = len(counts) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def check_found(
    paths: Collection[str],
    root: pathlib.Path,
    extensions: Collection[str],
    name: str,
    left_out: Counter,
) -> None:
    """Raises a ValueError if there are no paths; says what it looked for."""
    if not paths:
        others = f"; left out: {format_counts(left_out)}" if left_out else ""
        raise ValueError(
            f"no {name} in {str(root)!r} (looked for "
            f"{', '.join(extensions)} in it and below{others})"
        )
