"""The configuration that a run folder keeps."""

import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import ml_collections
import yaml

from byol_tf.files import write_text
from byol_tf.lines import first_line
from byol_tf.modalities.registry import load_named


class Retired(NamedTuple):
    """A field, or one of its values, that an earlier release had.

    Attributes:
        mattered: whether a run with this value would go on in another way.
        instead: what replaces it.
    """

    mattered: Callable[[object], bool]
    instead: str


RETIRED = {
    "data.service": Retired(
        bool, "each worker reads its own images: --strategy=multi_worker"
    ),
    "faults.action": Retired(
        lambda value: value == "rollback",
        "faults.action=skip makes no update of a bad batch and goes on",
    ),
    "faults.rollbacks": Retired(lambda value: False, "faults.in_a_row"),
}


def config_of_run(
    config, workdir, defaults, trusted: str = ""
) -> ml_collections.ConfigDict:
    """The configuration of a run folder, kept there from its first start.

    Args:
        config: what the command line gave, or None to take the folder's.
        workdir: the run folder.
        defaults: a configuration with every field, for those that a folder
            of an earlier version lacks.
        trusted: name of a modality outside the package that may be imported.

    Raises:
        ValueError: if there is neither, or if the two differ.
    """
    path = pathlib.Path(workdir) / "config.yaml"
    kept = _read_config(path, defaults) if path.exists() else None
    if config is None and kept is None:
        raise ValueError(
            f"no run in {workdir} to continue; start one with "
            "--config=configs/quickstart.py"
        )
    if config is None:
        load_named(kept.modality, trusted)
        return kept
    if kept is not None:
        changed = _differences(kept.to_dict(), config.to_dict())
        if changed:
            raise ValueError(
                f"{workdir} holds a run with another configuration "
                f"({', '.join(changed)}); continue it with --workdir alone, "
                "or choose another --workdir"
            )
    return config


def read_values(workdir) -> dict:
    """The values of a run's `config.yaml` as they stand; {} without one.

    Raises:
        ValueError: the file is no configuration.
    """
    path = pathlib.Path(workdir) / "config.yaml"
    if not path.is_file():
        return {}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(
            f"{path} is not the configuration of a run: {first_line(error)}"
        ) from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not the configuration of a run")
    return values


def save_config(config, workdir) -> None:
    """Writes `config.yaml` into a run folder."""
    write_text(pathlib.Path(workdir) / "config.yaml", config_text(config))


def config_text(config) -> str:
    """The configuration as YAML."""
    return yaml.safe_dump(_plain(config.to_dict()), sort_keys=False)


def _read_config(path, defaults):
    config = ml_collections.ConfigDict(defaults)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        values = _without_retired(flatten(values), defaults)
        for key, value in values.items():
            _section_of(config, key)  # raises for an unknown field
            config.update_from_flattened_dict({key: _tuple(value)})
    except (
        AttributeError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
        yaml.YAMLError,
    ) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} is not the configuration of a run: {reason}"
        ) from error
    return config


def _without_retired(values, defaults):
    """The fields without those retired; a value that mattered is refused."""
    for key in RETIRED.keys() & values:
        mattered, instead = RETIRED[key]
        if mattered(values[key]):
            raise ValueError(
                f"{key}={values[key]!r} is retired; in its place, {instead}. "
                "Change the line, or go on with the release that wrote it"
            )
    gone = RETIRED.keys() - flatten(defaults.to_dict())
    return {key: value for key, value in values.items() if key not in gone}


def _section_of(config, key):
    *sections, field = key.split(".")
    for section in sections:
        config = config[section]
    return config[field]


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


def flatten(values: Mapping, prefix: str = "") -> dict[str, object]:
    """The fields of all sections by their names with dots."""
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _differences(kept, given):
    kept, given = flatten(_plain(kept)), flatten(_plain(given))
    return sorted(
        key for key in kept.keys() | given if kept.get(key) != given.get(key)
    )
