"""Folders behind a URL, such as `s3://photos`, through fsspec."""

import os
import pathlib
from typing import NamedTuple

from byol_tf.checks import require
from byol_tf.data.rows import Unreadable
from byol_tf.lines import first_line

MARK = "://"


class RemotePath:
    """A path of a file system of fsspec, for listing and reading.

    Args:
        system: an `fsspec.AbstractFileSystem`.
        path: path in that system.
    """

    def __init__(self, system, path: str):
        self.system, self.path = system, path.rstrip("/")

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(self.system, f"{self.path}/{name}")

    def __str__(self) -> str:
        return self.system.unstrip_protocol(self.path)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def is_dir(self) -> bool:
        return self.system.isdir(self.path)

    def entries(self) -> list["RemoteEntry"]:
        """Lists the folder."""
        return [
            RemoteEntry(
                one["name"].rstrip("/").rpartition("/")[2],
                str(one["name"]),
                one["type"] == "directory",
            )
            for one in self.system.ls(self.path, detail=True)
        ]

    def read(self) -> bytes:
        """Returns the bytes of the file, or raises `Unreadable`."""
        try:
            return self.system.cat_file(self.path)
        except Exception as error:  # of any library
            reason = first_line(error) or type(error).__name__
            raise Unreadable(reason) from error

    def size_and_time(self) -> tuple:
        """Returns what changes with the file, as far as the system knows."""
        about = self.system.info(self.path)
        stamp_keys = (
            "mtime",
            "LastModified",
            "updated",
            "last_modified",
            "ETag",
        )
        return about["size"], *(str(about[k]) for k in stamp_keys if k in about)


class RemoteEntry(NamedTuple):
    """The parts of `os.DirEntry` for an entry; there are no links."""

    name: str
    path: str
    folder: bool

    def is_dir(self) -> bool:
        return self.folder

    def is_symlink(self) -> bool:
        return False


def path_of(directory: str | os.PathLike) -> pathlib.Path | RemotePath:
    """Returns a local path, or a remote one for a text with "://".

    Raises:
        ValueError: if fsspec, or its library for that protocol, is missing.
    """
    if MARK not in str(directory):
        return pathlib.Path(directory)
    fsspec = require("fsspec", "remote")
    try:
        return RemotePath(*fsspec.url_to_fs(str(directory)))
    except (ImportError, ValueError) as error:
        raise ValueError(f"{directory}: {first_line(error)}") from error


def entries(folder: pathlib.Path | RemotePath) -> list:
    """Lists `os.DirEntry` of a folder, or the same of a remote one."""
    if isinstance(folder, RemotePath):
        return folder.entries()
    with os.scandir(folder) as scan:
        return list(scan)
