"""Stores times of day for `benchmarks.startup`."""

import json
import pathlib
import time

FILE = "marks.json"


class Marks:
    """Stores when each stage was first reached.

    Args:
        folder: the run folder, which gets the file.
    """

    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder)
        self.times = {}

    def reached(self, name: str) -> None:
        """Stores the time now, unless the stage was reached before."""
        self.times.setdefault(name, time.time())
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.times)
        (self.folder / FILE).write_text(text, encoding="utf-8")
