"""What the flag `--data` means, in fields of a configuration."""

import os
import pathlib
from collections.abc import Sequence

from configs.presets import with_preset
from configs.words import SPLITS

_TEST_NAMES = SPLITS["test"] + SPLITS["validation"]  # in the order of choice
_SYSTEM = (".", "@", "#", "$", "lost+found", "__MACOSX")  # beginnings of names


def overrides(text: str) -> list[str]:
    """Returns the fields of `config.data` that a flag `--data` sets.

    Args:
        text: a folder of files, an `.npz` file of arrays, or `tfds:NAME`.

    Returns:
        Arguments such as "--config.data.source=folder".

    Raises:
        ValueError: it is none of them, or not there.
    """
    fields = _fields(os.path.expanduser(text))
    return [f"--config.data.{key}={value}" for key, value in fields.items()]


def _fields(text):
    kind, colon, name = text.partition(":")
    if kind == "tfds" and colon and not os.path.exists(text):
        if not name:
            raise ValueError("--data=tfds: must name a set, as tfds:cifar10")
        return {"source": "tfds", "name": name, "dir": ""}
    path = pathlib.Path(text)
    if path.suffix.lower() == ".npz":
        if not path.is_file():
            raise ValueError(f"--data={text}: there is no such file")
        return {"source": "arrays", "dir": text}
    if not path.is_dir():
        raise ValueError(
            f"--data must be a folder, an .npz file or tfds:NAME; there is no "
            f"folder {text!r}"
        )
    return {"source": "folder", "dir": text, "test_split": _test_split(path)}


def _test_split(folder):
    """Name of the sub-folder of the test split; "" holds out a tenth.

    Sub-folders are splits only if all with files are called so; "test" beside
    other classes is a class.
    """
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    names = [name for name in names if not name.startswith(_SYSTEM)]
    others = [
        n for n in names if n.lower() not in (*SPLITS["train"], *_TEST_NAMES)
    ]
    if any(files for n in others for *_, files in os.walk(folder / n)):
        return ""
    found = [name for name in names if name.lower() in _TEST_NAMES]
    return min(found, key=lambda n: _TEST_NAMES.index(n.lower()), default="")


def with_overrides(
    arguments: Sequence[str], default_config: str | None = None
) -> list[str]:
    """Adds what `--data` sets to the arguments of a command.

    What the arguments set themselves comes later, so it holds.

    Args:
        arguments: flags, `--data=...` among them or not.
        default_config: recipe if there is data and no `--config`; None where
            the command has a configuration in any case.

    Raises:
        ValueError: see `overrides`.
    """
    given = dict(
        word.lstrip("-").split("=", 1) for word in arguments if "=" in word
    )
    if "data" not in given:
        return list(arguments)
    # The file of the configuration goes before its fields.
    rest = list(arguments)
    config = [word for word in rest if word.startswith("--config=")]
    if not config and default_config:
        config = [f"--config={default_config}"]
    rest = [word for word in rest if word not in config]
    return config + overrides(given["data"]) + rest


def with_minutes(arguments: Sequence[str]) -> list[str]:
    """Adds what `--minutes` sets: the epochs are open, and decided by it."""
    found = [w for w in arguments if w.startswith("--minutes=")]
    if not found:
        return list(arguments)
    minutes = found[-1].partition("=")[2]
    config = [word for word in arguments if word.startswith("--config=")]
    rest = [word for word in arguments if word not in config]
    fields = ["--config.epochs=0", f"--config.minutes={minutes}"]
    return config + fields + rest


def expanded(
    arguments: Sequence[str], default_config: str | None = None
) -> list[str]:
    """Adds what `--data`, `--minutes` and a preset set, see each of them."""
    arguments = with_overrides(arguments, default_config)
    return with_preset(with_minutes(arguments))
