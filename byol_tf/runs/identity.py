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


def changes(kept: Mapping, given: Mapping) -> dict[str, str]:
    """Returns fields that differ, each with both values: "100, now 200".

    Args:
        kept: values by dotted field name.
        given: the same for another configuration.
    """
    kept, given = (json.loads(json.dumps(dict(v))) for v in (kept, given))
    return {
        key: f"{kept.get(key)!r}, now {given.get(key)!r}"
        for key in sorted(kept.keys() | given)
        if kept.get(key) != given.get(key)
    }


def matters(field: str, free: Sequence[str] = FREE) -> bool:
    """Returns whether another value of the field makes another run."""
    return not any(fnmatch.fnmatchcase(field, pattern) for pattern in free)


def listed(changed: Mapping[str, str]) -> str:
    """Formats changes in one line."""
    return "; ".join(f"{key} ({values})" for key, values in changed.items())


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
        kept = {
            k: v for k, v in state["settings"].items() if k in self.settings
        }
        changed = changes(kept, {k: self.settings[k] for k in kept})
        changed |= changes(
            {"training data": state["data"]},
            {"training data": self.fingerprint()},
        )
        if not changed:
            return
        if not self.accept:
            raise ValueError(
                f"these differ from the start of the run: {listed(changed)}. "
                f"Restore them, continue with the changes by {FLAG}, or choose "
                "another --workdir"
            )
        logging.warning("Continuing with changes: %s.", listed(changed))
