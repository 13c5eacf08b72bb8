"""Folders behind an address, such as `s3://photos`, through fsspec."""

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
        path: as that system names it.
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
        """What lies in the folder."""
        return [
            RemoteEntry(
                one["name"].rstrip("/").rpartition("/")[2],
                str(one["name"]),
                one["type"] == "directory",
            )
            for one in self.system.ls(self.path, detail=True)
        ]

    def read(self) -> bytes:
        """The bytes of the file; `Unreadable` if they do not come."""
        try:
            return self.system.cat_file(self.path)
        except Exception as error:  # of any library
            reason = first_line(error) or type(error).__name__
            raise Unreadable(reason) from error

    def size_and_time(self) -> tuple:
        """What changes when the file does, as far as the system says."""
        about = self.system.info(self.path)
        known = ("mtime", "LastModified", "updated", "last_modified", "ETag")
        return about["size"], *(str(about[k]) for k in known if k in about)


class RemoteEntry(NamedTuple):
    """What `os.DirEntry` says of an entry; there are no links."""

    name: str
    path: str
    folder: bool

    def is_dir(self) -> bool:
        return self.folder

    def is_symlink(self) -> bool:
        return False


def path_of(directory: str | os.PathLike) -> pathlib.Path | RemotePath:
    """A path on this machine, or, of a text with "://", behind an address.

    Raises:
        ValueError: fsspec, or its library for that address, is missing.
    """
    if MARK not in str(directory):
        return pathlib.Path(directory)
    fsspec = require("fsspec", "remote")
    try:
        return RemotePath(*fsspec.url_to_fs(str(directory)))
    except (ImportError, ValueError) as error:
        raise ValueError(f"{directory}: {first_line(error)}") from error


def entries(folder: pathlib.Path | RemotePath) -> list:
    """`os.DirEntry` of what lies in a folder, or the same of a remote one."""
    if isinstance(folder, RemotePath):
        return folder.entries()
    with os.scandir(folder) as found:
        return list(found)
