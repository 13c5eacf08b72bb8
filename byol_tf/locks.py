"""Locks a folder for one writer."""

import contextlib
import json
import os
import pathlib
import platform
import time
from collections.abc import Iterator

from absl import logging

from byol_tf.files import flush, remove_leftovers

try:
    import fcntl
except ImportError:  # on Windows, folders have no lock
    fcntl = None

FILE = ".lock"
CACHE = "cache"  # folder of a run's decoded data


class FolderInUseError(OSError):
    """Raised if another process writes into the folder."""


@contextlib.contextmanager
def owned_folder(folder: str | os.PathLike) -> Iterator[int]:
    """Owns a folder while the block runs; makes it if missing.

    First removes unfinished files of dead processes, in its cache too, where
    they may be as large as the data. The system releases the lock when the
    process ends in any way; a line says if it was taken over. Of several
    workers, only the chief may call it.

    Yields:
        File descriptor of the lock. A child that inherits it keeps the folder
        if it outlives a killed parent.

    Raises:
        FolderInUseError: if another process owns it; names the process.
    """
    path = pathlib.Path(folder) / FILE
    is_new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _open_locked(path)
    try:
        _write_owner(descriptor, path)
        remove_leftovers(path.parent)
        if (path.parent / CACHE).is_dir():
            remove_leftovers(path.parent / CACHE)
        yield descriptor
    finally:
        path.unlink(missing_ok=True)  # while it is still locked
        os.close(descriptor)
        if is_new:
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # if nothing was written


def _open_locked(path):
    """Returns a locked file descriptor of the lock's file."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = _owner(descriptor) or "another process"
            if _is_gone(descriptor):
                owner = f"what {owner} started and left behind"
            os.close(descriptor)
            raise FolderInUseError(
                f"{path.parent} is in use by {owner}; "
                "wait until it ends, stop it, or choose another folder"
            ) from error
        except OSError as error:
            logging.warning("%s cannot be locked: %s.", path, error.strerror)
        if _is_same_file(descriptor, path):
            return descriptor
        os.close(descriptor)  # its owner has just removed it


def _is_gone(descriptor):
    """Returns whether the owner died here while its child holds the lock."""
    with contextlib.suppress(KeyError, TypeError, ValueError, PermissionError):
        owner = json.loads(os.pread(descriptor, 1000, 0))
        if owner["host"] == platform.node():
            try:
                os.kill(owner["process"], 0)
            except ProcessLookupError:
                return True
    return False


def _is_same_file(descriptor, path):
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write_owner(descriptor, path):
    """Writes the owner; warns if the last owner did not end well."""
    last_owner = _owner(descriptor)
    if last_owner:
        logging.warning(
            "%s was in use by %s, which is gone; going on with what it left.",
            path.parent,
            last_owner,
        )
    owner = {
        "process": os.getpid(),
        "host": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)
    flush(path)


def _owner(descriptor):
    """Returns the owner as text; "" for none."""
    try:
        owner = json.loads(os.pread(descriptor, 1000, 0))
        return "process {process} on {host} since {since}".format(**owner)
    except (KeyError, TypeError, ValueError):
        return ""
