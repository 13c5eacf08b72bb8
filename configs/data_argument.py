"""Translates the flag `--data` into fields of a configuration."""

import csv
import os
import pathlib
import posixpath
import shlex
from collections.abc import Sequence

from configs.command_line import find
from configs.kinds import (
    DEFAULT,
    KINDS,
    kind_of,
    text_tables,
    without_system,
)
from configs.presets import with_preset
from configs.words import SPLITS

_TEST_NAMES = SPLITS["test"] + SPLITS["validation"]  # in order of preference


def overrides(text: str, layout: str = "auto") -> list[str]:
    """Returns the fields of `config.data` that `--data` sets.

    Args:
        text: a folder of files or TFRecords, or its URL; a CSV file that names
            files, an `.npz` file of arrays, or `tfds:NAME`.
        layout: layout of a folder, see `data.layout` in `configs/base.py`.

    Returns:
        Arguments such as "--config.data.source=folder".

    Raises:
        ValueError: if it is none of these, or does not exist.
    """
    fields = _fields(os.path.expanduser(text), layout)
    fields |= {"layout": layout, "label_column": ""}
    return [f"--config.data.{key}={value}" for key, value in fields.items()]


def _fields(text, layout):
    kind, colon, name = text.partition(":")
    if kind == "tfds" and colon and not os.path.exists(text):
        if not name:
            raise ValueError("--data=tfds: must name a set, as tfds:cifar10")
        return {"source": "tfds", "name": name, "dir": ""}
    if "://" in text:  # a URL, slow to list
        return {"source": "folder", "dir": text, "test_split": ""}
    path, kind = pathlib.Path(text), pathlib.Path(text).suffix.lower()
    tables = (".csv", *KINDS["text"].tables, ".txt")
    if kind in (".npz", ".csv") and not path.is_file():
        raise ValueError(f"--data={text}: there is no such file")
    if kind == ".npz":
        return {"source": "arrays", "dir": text}
    if not path.is_dir() and not (kind in tables and path.is_file()):
        boxes = kind in (".json", ".yaml", ".xml")
        folder = "; for boxes and points give the folder of that file"
        raise ValueError(
            "--data must be a folder, a .csv or .npz file, a table or lines of "
            f"texts, or tfds:NAME; there is no folder {text!r}"
            + (folder if boxes else "")
        )
    records = [] if path.is_file() else list(path.glob("*.tfrecord*"))
    if records:
        found = [t for t in _TEST_NAMES if _any_begins(records, t)]
        split = next(iter(found), "")
    else:
        split = _test_split(path, layout)
    source = "tfrecord" if records else "folder"
    return {"source": source, "dir": text, "test_split": split}


def _any_begins(paths, name):
    return any(path.name.startswith(name) for path in paths)


def _test_split(path, layout):
    """Returns the test split of a folder or table; "": hold out a tenth."""
    table = path if path.is_file() else path / "labels.csv"
    if layout in ("classes", "flat") or (
        path.is_file() and text_tables(str(path))
    ):
        names = []
    elif layout != "splits" and table.is_file():
        names = _splits_of_rows(table)
    else:
        names = _split_folders(path) or list(map(_stem, text_tables(str(path))))
    found = sorted(name for name in names if name.lower() in _TEST_NAMES)
    return min(found, key=lambda n: _TEST_NAMES.index(n.lower()), default="")


def _stem(name):
    return os.path.splitext(name)[0]


def _splits_of_rows(table):
    """Returns the values of column `split`, else the top folders of paths."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            lines.seek(0)
            # As in `read_label_table`.
            mark = ";" if ";" in first and "," not in first else ","
            rows = csv.reader(lines, delimiter=mark, skipinitialspace=True)
            header = [cell.strip() for cell in next(rows, [])]
            if "split" in header:
                place = header.index("split")
                return {row[place].strip() for row in rows if row[place:]}
            place = header.index("path") if "path" in header else 0
            tops = {_top(row[place]) for row in rows if row}
    except (OSError, ValueError, csv.Error):
        return []  # the package reads it again and reports the error
    splits = (*SPLITS["train"], *_TEST_NAMES)
    return tops if all(top.lower() in splits for top in tops) else []


def _top(path):
    """Returns the first folder of a path, which may be a Windows path."""
    plain = posixpath.normpath(path.strip().replace("\\", "/"))
    return plain.split("/")[0]


def _split_folders(folder):
    """Returns the sub-folders that are splits.

    There are none if a sub-folder with another name holds files: "test" beside
    other classes is a class.
    """
    names = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    names = without_system(names)
    others = [
        n for n in names if n.lower() not in (*SPLITS["train"], *_TEST_NAMES)
    ]
    if any(files for n in others for *_, files in os.walk(folder / n)):
        return []
    return names


def with_overrides(arguments: Sequence[str]) -> list[str]:
    """Adds the fields that `--data` sets to the arguments of a command.

    The arguments' own fields come later and take precedence.

    Args:
        arguments: flags, with or without `--data=...`.

    Raises:
        ValueError: as `overrides`.
    """
    given = given_flags(arguments)
    if "data" not in given:
        return list(arguments)
    layout = given.get("config.data.layout", "auto")
    return _with_fields(arguments, overrides(given["data"], layout))


def _with_fields(arguments, fields):
    """Adds fields after the configuration file and before other fields."""
    config = [word for word in arguments if word.startswith("--config=")]
    rest = [word for word in arguments if word not in config]
    return config + fields + rest


def with_minutes(arguments: Sequence[str]) -> list[str]:
    """Adds the fields that `--minutes` sets: epochs=0 and minutes."""
    found = [w for w in arguments if w.startswith("--minutes=")]
    if not found:
        return list(arguments)
    minutes = found[-1].partition("=")[2]
    fields = ["--config.epochs=0", f"--config.minutes={minutes}"]
    return _with_fields(arguments, fields)


def with_recipe(arguments: Sequence[str]) -> list[str]:
    """Adds the field that `--modality` sets, and the recipe for the data.

    With `--data` but without `--config`, finds the kind of data from the files
    and prints it, unless `--modality` is given.
    """
    given = given_flags(arguments)
    modality = given.get("modality", "")
    fields = [f"--config.modality={modality}"] if modality else []
    if "data" not in given or "config" in given:
        return _with_fields(arguments, fields)
    if not modality:
        modality, line = kind_of(given["data"])
        if line:
            print(line, flush=True)
    recipe = find(KINDS.get(modality, KINDS[DEFAULT]).recipe)
    return [f"--config={recipe}", *fields, *arguments]


def expanded(arguments: Sequence[str]) -> list[str]:
    """Adds the fields that data, modality, minutes and a preset set."""
    arguments = with_overrides(with_recipe(arguments))
    return with_preset(with_minutes(arguments))


def give_data(config, data: str | None) -> None:
    """Sets the data of all trainings of a comparison or a search.

    Args:
        config: its configuration. The fields are added to `common`, and a
            default `base` is replaced by the recipe for the data.
        data: value of `--data`; None: change nothing.
    """
    if data is None:
        return
    fields = (w.removeprefix("--config.") for w in overrides(data))
    config.common = (*fields, *config.common)
    if config.base == find("quickstart"):
        kind, line = kind_of(data)
        print(line, flush=True)
        config.base = find(KINDS[kind].recipe)


def check_runs(arguments: Sequence[str], command: str) -> list[str]:
    """Checks the arguments of a comparison or search, and returns them.

    Args:
        arguments: flags.
        command: such as "byol_tf compare", for messages.

    Raises:
        ValueError: if the folder of runs is data, or does not exist while no
            other flag says what to train on.
    """
    given = given_flags(arguments)
    runs = given.get("workdir")
    if "data" in given or not runs:
        return list(arguments)
    name = shlex.quote(runs)
    refuse_data(runs, f"{command} {name} RUNS")
    if given.keys() == {"workdir"} and not os.path.exists(runs):
        raise ValueError(
            f"there is no {runs}: neither data nor a folder of runs to go on "
            f"with. Data of yours: {command} DATA {name}; those of a recipe: "
            f"{command} {name} --config.base=quickstart"
        )
    return list(arguments)


def refuse_data(runs: str, command: str) -> None:
    """Raises a ValueError if a folder for runs holds data.

    Args:
        runs: the folder.
        command: what to call instead, for the message.
    """
    if runs.startswith("tfds:") or _is_data(pathlib.Path(runs)):
        raise ValueError(
            f"{runs} holds data and no runs; name a folder for the runs too: "
            f"{command}"
        )


def _is_data(path):
    """Returns whether a path holds files of a known kind, and no runs."""
    if path.suffix.lower() in (".npz", ".csv"):
        return not path.is_dir()
    depths = ("", "*/", "*/*/")
    runs = any(any(path.glob(f"{d}config.yaml")) for d in depths)
    return not runs and bool(kind_of(str(path))[1])


def given_flags(arguments: Sequence[str]) -> dict[str, str]:
    """Returns the values of `--name=value` arguments by name; the last wins."""
    return dict(
        word.lstrip("-").split("=", 1) for word in arguments if "=" in word
    )
