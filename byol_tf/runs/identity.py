"""Identifies a run, so that it continues only as the same run."""

import fnmatch
import json
from collections.abc import Callable, Mapping, Sequence

from absl import logging

FLAG = "--accept_changes"
# Fields that may change when a run continues. The data may have moved; their
# fingerprint identifies them.
FREE = (
    *("epochs", "log_every", "peak_tflops", "strategy", "jit_compile"),
    *("data.dir", "data.cache*", "data.store*", "checkpoint.*", "faults.*"),
    *("monitor.every_epochs", "monitor.stop_on_collapse"),
    "save_encoder_every",
)


def changes(before: Mapping, after: Mapping) -> dict[str, str]:
    """Returns fields that differ, each with both values: "100, now 200".

    Args:
        before: values by dotted field name.
        after: the same for another configuration.
    """
    before, after = (json.loads(json.dumps(dict(v))) for v in (before, after))
    return {
        key: f"{before.get(key)!r}, now {after.get(key)!r}"
        for key in sorted(before.keys() | after)
        if before.get(key) != after.get(key)
    }


def matters(field: str, free: Sequence[str] = FREE) -> bool:
    """Returns whether another value of the field makes another run."""
    return not any(fnmatch.fnmatchcase(field, pattern) for pattern in free)


def format_changes(differences: Mapping[str, str]) -> str:
    """Formats changes in one line."""
    return "; ".join(f"{key} ({values})" for key, values in differences.items())


class RunIdentity:
    """A part of every checkpoint: settings that matter, and the data.

    Args:
        settings: values by dotted field name.
        fingerprint: returns that of the training data, when needed.
        accept: whether to continue despite differences, with a warning.
    """

    def __init__(
        self,
        settings: Mapping,
        fingerprint: Callable[[], str],
        accept: bool = False,
    ):
        self.settings = {k: v for k, v in settings.items() if matters(k)}
        self.fingerprint = fingerprint
        self.accept = accept

    def state(self) -> dict:
        """Returns the state to save."""
        return {"settings": self.settings, "data": self.fingerprint()}

    def set_state(self, state: dict) -> None:
        """Compares with a saved state; {} for earlier releases.

        Raises:
            ValueError: if something differs; names it.
        """
        if not state:
            return
        saved = {
            k: v for k, v in state["settings"].items() if k in self.settings
        }
        differences = changes(saved, {k: self.settings[k] for k in saved})
        differences |= changes(
            {"training data": state["data"]},
            {"training data": self.fingerprint()},
        )
        if not differences:
            return
        if not self.accept:
            raise ValueError(
                "these differ from the start of the run: "
                f"{format_changes(differences)}. Restore them, "
                f"continue with the changes by {FLAG}, or choose another "
                "--workdir"
            )
        logging.warning(
            "Continuing with changes: %s.", format_changes(differences)
        )
