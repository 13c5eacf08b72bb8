"""Loads and unloads versions of a model as its folder changes."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import gc
import os
import pathlib
import stat
import threading
from collections.abc import Callable, Iterator

from absl import logging

from byol_tf.lines import first_line
from byol_tf.serving.errors import NotFound
from byol_tf.serving.model import FILE, Version

LOADING, AVAILABLE = "LOADING", "AVAILABLE"
UNLOADING, END = "UNLOADING", "END"


@dataclasses.dataclass
class State:
    """The state of a version; `error` says why it could not be loaded."""

    name: str
    error: str = ""


class Versions:
    """The newest versions in a folder; others are unloaded.

    Args:
        directory: `directory/<number>/saved_model.pb`, or one version.
        max_versions: number of newest versions to serve.
        load: makes a version from its number and folder.
        load_s: seconds after which loading counts as failed.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        max_versions: int = 1,
        load: Callable[[int, pathlib.Path], Version] | None = None,
        load_s: float = 120.0,
    ):
        self._directory = pathlib.Path(directory)
        self._max_versions = max_versions
        self._load = load or _load
        self._available = {}
        self._load_s = load_s
        self._tasks = {}  # work in threads, by key
        self._broken = {}  # state of the files of broken versions, by number
        self._garbage = False  # whether there is a version to free
        self.states = {}

    @property
    def newest(self) -> Version | None:
        """The version for requests without a number."""
        if not self._available:
            return None
        return self._available[max(self._available)]

    def find(self, number: int | None = None) -> Version:
        """Returns the newest version, or the one with a number.

        Raises:
            NotFound: if it is not served.
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
        """Yields a version that is not unloaded meanwhile; see `find`."""
        version = self.find(number)
        version.uses += 1
        try:
            yield version
        finally:
            version.uses -= 1
            self._unload_unused(version)

    async def update(self) -> None:
        """Loads new versions, then unloads those not to be served.

        A version that cannot be loaded is skipped until its files change; one
        that takes too long, until it is loaded after all. The last version is
        kept even if its folder is gone.

        Raises:
            OSError: if the folder cannot be read, or not in time.
        """
        if self._garbage:
            self._garbage = False
            await asyncio.to_thread(gc.collect)
        folders = await self._in_time("look", find_versions, self._directory)
        served = set()
        for number in sorted(folders, reverse=True):
            if len(served) == self._max_versions:
                break
            if number in self._available or await self._try(
                number, folders[number]
            ):
                served.add(number)
        unfinished = {k: w for k, w in self._tasks.items() if not w.done()}
        self._tasks = unfinished
        if not served:
            return
        for number in set(self._available) - served:
            self.states[number] = State(UNLOADING)
            self._unload_unused(self._available.pop(number))

    async def watch(self, seconds: float) -> None:
        """Calls `update` forever.

        Args:
            seconds: seconds to wait before each call.
        """
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.update()
            except OSError as error:  # the folder is not reachable now
                logging.warning("%s", error)

    async def _try(self, number, folder):
        files = None
        try:
            files = await self._in_time(("files", number), _files, folder)
            if self._broken.get(number) == files:
                return False
            if ("load", number) not in self._tasks:
                self.states[number] = State(LOADING)
                logging.info("loading version %d", number)
            version = await self._in_time(
                ("load", number), self._load, number, folder
            )
        except Exception as error:  # damaged models can raise anything
            reason = first_line(error)
            if not isinstance(error, _WorkTimeout):
                self._broken[number] = files
            if self.states.get(number) != State(END, reason):
                logging.error("version %d cannot be loaded: %s", number, reason)
            self.states[number] = State(END, reason)
            return False
        self._broken.pop(number, None)
        self._available[number] = version
        self.states[number] = State(AVAILABLE)
        logging.info("version %d is served", number)
        return True

    async def _in_time(self, key, function, *args):
        """Awaits work that may hang, which is begun only once."""
        seconds = 0
        if key not in self._tasks:
            seconds = self._load_s
            self._tasks[key] = _in_thread(function, *args)
        await asyncio.wait([self._tasks[key]], timeout=seconds)
        if not self._tasks[key].done():
            raise _WorkTimeout(
                f"{self._directory} could not be read or loaded within "
                f"{self._load_s:g} s"
            )
        return self._tasks.pop(key).result()

    def _unload_unused(self, version):
        if version.uses or self.states[version.number].name != UNLOADING:
            return
        self.states[version.number] = State(END)
        self._garbage = True
        logging.info("version %d is unloaded", version.number)


def find_versions(directory: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns folders of versions by number.

    A folder that is a version itself gets the number of its name, or 1.
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
    """Returns whether messages can hold the number."""
    return name.isascii() and name.isdigit() and int(name) < 2**63


class _WorkTimeout(OSError):
    """Raised if work takes too long; it continues."""


def _in_thread(function, *args):
    """Returns a future of work in a thread that may never end.

    At exit, Python and asyncio would wait for their own pools of threads.
    """
    result = concurrent.futures.Future()

    def run():
        try:
            result.set_result(function(*args))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return asyncio.wrap_future(result)


def _load(number, folder):
    # Read here first, since TensorFlow blocks everything while a file system
    # does not answer.
    for path, _ in _walk(folder):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    version = Version(number, folder)
    version.warm_up()
    return version


def _files(folder):
    """Returns what changes if the files do."""
    return [(s.st_size, s.st_mtime_ns) for _, s in _walk(folder)]


def _walk(folder):
    """Yields the files of a folder with their status, sorted.

    Raises:
        OSError: for a file whose reading may not end, such as a pipe.
    """
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            yield path, status
        elif not stat.S_ISDIR(status.st_mode):
            raise OSError(f"{path.relative_to(folder)} is no regular file")
