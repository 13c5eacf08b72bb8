"""A worker that does nothing, at a speed it is told, for contests."""

import json
import os
import pathlib

from benchmarks.workers import protocol


class Fake:
    """Takes the seconds of the case, one round after the other.

    Notes down its name, in the case's `log`, when it works.
    """

    def __init__(self, case: dict):
        if case.get("broken"):
            raise ImportError("No module named 'lightly'")
        self.case, self.info, self.rounds = case, {"variant": "fake"}, 0
        print("a library that prints")

    def go(self) -> dict:
        seconds = self.case["rounds"][self.rounds]
        self.rounds += 1
        with open(pathlib.Path(self.case["log"]), "a") as log:
            log.write(json.dumps([self.case["name"], self.rounds]) + "\n")
        if seconds is None:
            os._exit(3)
        return {"units": 12, "seconds": seconds}

    def finish(self) -> dict:
        return self.case.get("finish", {})


if __name__ == "__main__":
    protocol.serve(Fake, "numpy")
