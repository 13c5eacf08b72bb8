"""Which versions of a model are served, as its folder changes."""

import asyncio
import contextlib
import dataclasses
import gc
import os
import pathlib
from collections.abc import Callable, Iterator

from absl import logging

from byol_tf.serving.errors import NotFound
from byol_tf.serving.model import FILE, Version

LOADING, AVAILABLE = "LOADING", "AVAILABLE"
UNLOADING, END = "UNLOADING", "END"


@dataclasses.dataclass
class State:
    """Of a version; `error` says why it could not be loaded."""

    name: str
    error: str = ""


class Versions:
    """The newest versions in a folder; the others are unloaded.

    Args:
        directory: `directory/<number>/saved_model.pb`, or one version.
        kept: newest ones that are served.
        load: makes a version of its number and folder.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        kept: int = 1,
        load: Callable[[int, pathlib.Path], Version] | None = None,
    ):
        self._directory = pathlib.Path(directory)
        self._kept = kept
        self._load = load or _load
        self._available = {}
        self._broken = {}  # what the files were like, by number
        self._garbage = False  # is there a version to be freed
        self.states = {}

    @property
    def newest(self) -> Version | None:
        """The one that is asked where no number is given."""
        if not self._available:
            return None
        return self._available[max(self._available)]

    def find(self, number: int | None = None) -> Version:
        """The newest version, or the one of a number.

        Raises:
            NotFound: it is not served.
        """
        version = self.newest
        if number is not None:
            version = self._available.get(number)
        if version is None:
            raise NotFound(
                f"version {number} is not served; served: "
                f"{sorted(self._available)}"
            )
        return version

    @contextlib.contextmanager
    def lease(self, number: int | None = None) -> Iterator[Version]:
        """The version, which is not unloaded meanwhile; see `find`."""
        version = self.find(number)
        version.uses += 1
        try:
            yield version
        finally:
            version.uses -= 1
            self._unload_unused(version)

    async def update(self) -> None:
        """Loads what is new, then unloads what is not to be served.

        A version that cannot be loaded is passed over until its files change.
        The last one is kept even if its folder is gone.
        """
        if self._garbage:
            self._garbage = False
            await asyncio.to_thread(gc.collect)
        found = await asyncio.to_thread(find_versions, self._directory)
        chosen = set()
        for number in sorted(found, reverse=True):
            if len(chosen) == self._kept:
                break
            if number in self._available or await self._try(
                number, found[number]
            ):
                chosen.add(number)
        if not chosen:
            return
        for number in set(self._available) - chosen:
            self.states[number] = State(UNLOADING)
            self._unload_unused(self._available.pop(number))

    async def watch(self, seconds: float) -> None:
        """Updates for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.update()
            except OSError as error:  # the folder is out of reach for now
                logging.warning("%s", error)

    async def _try(self, number, folder):
        files = await asyncio.to_thread(_files, folder)
        if self._broken.get(number) == files:
            return False
        self.states[number] = State(LOADING)
        logging.info("loading version %d", number)
        try:
            version = await asyncio.to_thread(self._load, number, folder)
        except Exception as error:  # damaged models raise nearly anything
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            self._broken[number] = files
            self.states[number] = State(END, reason)
            logging.error("version %d cannot be loaded: %s", number, reason)
            return False
        self._broken.pop(number, None)
        self._available[number] = version
        self.states[number] = State(AVAILABLE)
        logging.info("version %d is served", number)
        return True

    def _unload_unused(self, version):
        if version.uses or self.states[version.number].name != UNLOADING:
            return
        self.states[version.number] = State(END)
        self._garbage = True
        logging.info("version %d is unloaded", version.number)


def find_versions(directory: pathlib.Path) -> dict[int, pathlib.Path]:
    """Folders of versions by number.

    A folder that is a version itself has the number of its name, or 1.
    """
    directory = pathlib.Path(directory)
    if (directory / FILE).is_file():
        name = directory.resolve().name
        return {int(name) if _is_number(name) else 1: directory}
    return {
        int(path.name): path
        for path in directory.iterdir()
        if _is_number(path.name) and (path / FILE).is_file()
    }


def _is_number(name):
    """Whether it is one that the messages can hold."""
    return name.isascii() and name.isdigit() and int(name) < 2**63


def _load(number, folder):
    version = Version(number, folder)
    version.warm_up()
    return version


def _files(folder):
    """What changes if the files do."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [path.stat() for path in paths]
    return [(s.st_size, s.st_mtime_ns) for s in stats]
