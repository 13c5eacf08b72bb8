"""Writes files atomically, so that they survive a loss of power."""

import contextlib
import csv
import errno
import hashlib
import json
import math
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from byol_tf.lines import csv_cell, first_line

Path = str | os.PathLike

# Names of temporary files and folders, with the process that made them.
_SUFFIX = "csv|html|jsonl?|keras|md|np[yz]|pack|parquet|png|py|srt|usearch|yaml"
_TEMPORARY = re.compile(
    rf"\..+\.(\d+)\.(?:{_SUFFIX})|\.unfinished-(\d+)", re.DOTALL
)
_PLAIN = re.compile(r"[\w ./+=:,@%~-]*", re.ASCII)  # signs of plain paths


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[pathlib.Path]:
    """Yields a temporary path that becomes `path` if the block succeeds.

    The temporary file is beside the final one, with the same suffix, and is
    removed if the block raises. It is flushed to disk before it is renamed.

    Raises:
        OSError: if it cannot be written; names the file.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        with naming(path):
            yield temporary
            flush(temporary)
            os.replace(temporary, path)
            flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: Path, *others: type[Exception]) -> Iterator[None]:
    """Adds `path` to an OSError of its block that names no file.

    Args:
        path: file that the block writes.
        *others: exceptions to turn into an OSError, such as TensorFlow's.
    """
    try:
        yield
    except (OSError, *others) as error:
        code = getattr(error, "errno", None)
        reason = getattr(error, "strerror", None) or first_line(error)
        if isinstance(error, OSError) and (
            error.filename is not None or str(path) in str(error)
        ):
            raise
        advice = "; run the same command again when there is room"
        is_full = code in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        text = f"{path} cannot be written: {reason}" + advice * is_full
        raise OSError(text) from error


def flush(path: Path) -> None:
    """Flushes a file, or a folder's list of files, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not os.path.isdir(path):  # some file systems refuse folders
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Removes unfinished files of dead processes in a folder.

    Call it from the process that owns the folder.
    """
    for entry in os.scandir(folder):
        match = _TEMPORARY.fullmatch(entry.name)
        if not match or is_running(int(match[1] or match[2])):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


def is_running(process: int) -> bool:
    """Returns whether this machine has a process of that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # a process of another user
    return True


@contextlib.contextmanager
def plain_path(folder: Path) -> Iterator[str]:
    """Yields a path of a folder that TensorFlow can use.

    TensorFlow reads brackets, stars and question marks as patterns, and takes
    no names that are not UTF-8. Such a folder gets a link in the temporary
    folder while the block runs.
    """
    folder = os.path.abspath(folder)
    if _PLAIN.fullmatch(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as parent:
        link = os.path.join(parent, "folder")
        os.symlink(folder, link, target_is_directory=True)
        yield link


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 text file atomically."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path, rows: Iterable[Sequence]) -> None:
    """Writes a CSV file of `csv_cell`s in UTF-8, atomically."""
    with (
        whole_file(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        write_rows(file, rows)


def write_rows(file: TextIO, rows: Iterable[Sequence]) -> None:
    """Writes rows of `csv_cell`s into an open file."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows(map(csv_cell, row) for row in rows)


def is_inside(path: str) -> bool:
    """Returns whether a path from a file is relative and stays inside."""
    parts = path.replace("\\", "/").split("/")
    return bool(parts[0]) and ":" not in parts[0][1:2] and ".." not in parts


def to_json(value, indent: int | None = None) -> str:
    """Returns valid JSON: NaN and infinity become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def loading(path: Path) -> Iterator[None]:
    """Turns any exception of its block into a one-line ValueError.

    Damaged model archives can raise anything.
    """
    try:
        yield
    except Exception as error:
        reason = first_line(error)
        if isinstance(error, KeyError):  # its text is only the key
            reason = f"it has no {reason}"
        raise ValueError(f"{path} cannot be loaded: {reason}") from error


def write_json(path: Path, value) -> None:
    """Writes indented JSON atomically."""
    write_text(path, to_json(value, indent=2) + "\n")


def read_json(path: Path):
    """Reads a JSON file, with or without a byte order mark."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8-sig"))


def parse_json(text: str | bytes) -> object:
    """Parses JSON of a user or client, which may be nested too deeply.

    Raises:
        ValueError: if it is no JSON that can be read.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(error) from error


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def save_model(model, path: Path) -> None:
    """Saves a Keras model as `.keras`, atomically."""
    with whole_file(path) as temporary:
        model.save(temporary)
