"""Runs an application built on encoders and search.

    byol_tf system customer_service fit --data=DIR --run=RUN
    byol_tf system customer_service ask --run=RUN "How do I ...?"
    byol_tf system customer_service serve --run=RUN
    byol_tf system customer_service evaluate --data=DIR --run=RUN
    byol_tf system finance_monitor watch --run=RUN --input=news.jsonl
    byol_tf system code_search ask --run=RUN "split a path"
    byol_tf system explore --run=RUN

Each system has a guide, docs/guides/NAME.md, which describes the files in DIR,
and a configuration, configs/NAME.py. `evaluate` writes NAME.json into RUN.
"""

import importlib
import os

from absl import flags
from ml_collections import config_flags

from configs import door, signals, words
from configs.command_line import FOLDER
from configs.systems import FIRST, SYSTEMS

_NEED_DATA = ("fit", "evaluate")
POSITIONAL = (("name", "verb", "text"),)
DEFAULT_CONFIG = None  # each system has its own
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; default: configs/NAME.py."
)
_NAME = flags.DEFINE_string("name", "", f"System: {', '.join(SYSTEMS)}.")
_VERB = flags.DEFINE_string("verb", None, "What to do, such as fit.")
_DATA = flags.DEFINE_string("data", None, "Folder with the system's data.")
_RUN = flags.DEFINE_string(
    "run",
    None,
    "Folder for what the system learns; may hold a trained encoder.",
)
flags.DEFINE_string(
    "text",
    None,
    "Question; default: standard input. recommend: a user.",
)
flags.DEFINE_string("history", None, "recommend: items, in place of a user.")
flags.DEFINE_string(
    "out", None, "recommend: Parquet file for all users' lists."
)
flags.DEFINE_string("host", "127.0.0.1", "Address to listen on.")
flags.DEFINE_integer("port", 8501, "Port for REST; 0: any free one.", 0, 65535)
flags.DEFINE_string(
    "input", "-", "File or folder of lines to watch; -: standard input."
)
flags.DEFINE_boolean("once", False, "Stop at the end of the files.")
flags.DEFINE_integer("page", None, "Port of the live page.", 0, 65535)


def expand(arguments: list[str]) -> list[str]:
    """Adds the system's own configuration if none is given."""
    if any(word.startswith("--config=") for word in arguments):
        return arguments
    names = [w[7:] for w in arguments if w.startswith("--name=")]
    own = [f for f in (FOLDER / f"{n}.py" for n in names) if f.is_file()]
    return [*(f"--config={path}" for path in own), *arguments]


def main():
    name = _NAME.value
    words.check_choice("name", name, tuple(SYSTEMS))
    verbs = tuple(SYSTEMS[name])
    verb = _VERB.value or (verbs[0] if len(verbs) == 1 else "")
    words.check_choice("verb", verb, verbs)
    taken = SYSTEMS[name][verb]
    data = _DATA.value
    needed = ("data", "run") if verb in _NEED_DATA else ("run",)
    lacking = [f"--{f}=FOLDER" for f in needed if not flags.FLAGS[f].value]
    if lacking:
        given = " and ".join(lacking)
        raise ValueError(f"byol_tf system {name} {verb} needs {given}")
    if data:
        door.check_folder(data)
    if verb not in FIRST[name] and not os.path.isdir(_RUN.value):
        raise ValueError(
            f"there is no folder {_RUN.value!r}; fit first: byol_tf system "
            f"{name} fit --data=DIR --run={_RUN.value}"
        )
    if "input" in taken:
        _check_input(flags.FLAGS["input"].value)
    options = {flag: flags.FLAGS[flag].value for flag in taken}
    with signals.importing(stop=verb in ("serve", "watch")):
        pass
    module = importlib.import_module(f"byol_tf.systems.{name}.verbs")
    getattr(module, verb)(_CONFIG.value, data, _RUN.value, **options)


def _check_input(path):
    if path != "-" and not os.path.exists(path):
        raise ValueError(f"--input={path}: there is no such file or folder")
