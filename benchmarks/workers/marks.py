"""Times of day, kept for `benchmarks.startup`."""

import json
import pathlib
import time

FILE = "marks.json"


class Marks:
    """Writes down when something was reached for the first time.

    Args:
        folder: the run folder, where they are kept.
    """

    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder)
        self.times = {}

    def reached(self, name: str) -> None:
        """It was reached now."""
        self.times.setdefault(name, time.time())
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.times)
        (self.folder / FILE).write_text(text, encoding="utf-8")
