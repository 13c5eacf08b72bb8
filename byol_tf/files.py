"""Writing files whole or not at all."""

import contextlib
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Iterator

from byol_tf.lines import first_line

Path = str | os.PathLike


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[pathlib.Path]:
    """Gives a temporary path that becomes `path` if the block succeeds.

    The temporary file lies beside the final one, with the same suffix, and is
    removed if the block raises.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_json(value, indent: int | None = None) -> str:
    """JSON that every reader takes: NaN and infinity become null."""
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
    """Turns whatever goes wrong in its block into a ValueError of one line.

    Damaged model archives raise nearly anything.
    """
    try:
        yield
    except Exception as error:
        reason = first_line(error)
        raise ValueError(f"{path} cannot be loaded: {reason}") from error


def write_json(path: Path, value) -> None:
    """Writes indented JSON, whole or not at all."""
    write_text(path, to_json(value, indent=2) + "\n")


def read_json(path: Path):
    """Reads a JSON file."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def save_model(model, path: Path) -> None:
    """Saves a Keras model as `.keras`, whole or not at all."""
    with whole_file(path) as temporary:
        model.save(temporary)
