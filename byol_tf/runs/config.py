"""The configuration stored in a run folder."""

import pathlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import ml_collections
import yaml
from absl import logging

from byol_tf.files import write_text
from byol_tf.lines import first_line
from byol_tf.modalities.registry import load_named
from byol_tf.runs.identity import FLAG, changes, format_changes, matters


class Retired(NamedTuple):
    """A field, or one of its values, of an earlier release.

    Attributes:
        has_effect: whether a run with this value would continue differently.
        replacement: what to use in its place.
    """

    has_effect: Callable[[object], bool]
    replacement: str


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
GO_ON = (
    "continue it with --workdir alone (and --config.epochs=N to train longer), "
    f"go on with a mixture by {FLAG}, or choose another --workdir"
)


def config_of_run(
    config,
    workdir,
    defaults,
    trusted: str = "",
    accept: Sequence[str] = (),
    advice: str = GO_ON,
) -> ml_collections.ConfigDict:
    """Returns the configuration from the command line, or else the folder's.

    If both exist, they must be equal except in the fields of `accept`.

    Args:
        config: configuration from the command line; None: use the folder's.
        workdir: the run folder.
        defaults: a configuration with every field, for those that a folder of
            an earlier release lacks.
        trusted: name of a modality outside the package that may be imported.
        accept: patterns of fields in which the two may differ.
        advice: what to do if they differ.

    Raises:
        ValueError: if there is neither, or if the two differ.
    """
    path = pathlib.Path(workdir) / "config.yaml"
    saved = _read_config(path, defaults) if path.exists() else None
    if config is None and saved is None:
        raise ValueError(
            f"no run in {workdir} to continue; start one with byol_tf pretrain "
            f"DATA {shlex.quote(str(workdir))}, or by a recipe: "
            "--config=quickstart"
        )
    if config is None:
        load_named(saved.modality, trusted)
        return saved
    if saved is not None:
        differences = changes(
            flatten(saved.to_dict()), flatten(config.to_dict())
        )
        if any(matters(field, accept) for field in differences):
            raise ValueError(
                f"{workdir} holds a run with another configuration "
                f"({format_changes(differences)}); {advice}"
            )
        if differences:
            logging.warning(
                "Going on with changes: %s.", format_changes(differences)
            )
    return config


def read_values(workdir) -> dict:
    """Reads the values of a run's `config.yaml`; {} if there is none.

    Raises:
        ValueError: if the file is not a configuration.
    """
    path = pathlib.Path(workdir) / "config.yaml"
    if not path.is_file():
        return {}
    try:
        values = _load(path)
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
    """Returns the configuration as YAML."""
    return yaml.safe_dump(_plain(config.to_dict()), sort_keys=False)


class _Loader(yaml.SafeLoader):
    """Refuses aliases of mappings and of nested lists.

    Each level of such aliases could be ten times as large as the one before.
    """

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            node = self.anchors.get(event.anchor)
            nested = isinstance(node, yaml.SequenceNode) and any(
                isinstance(child, yaml.CollectionNode) for child in node.value
            )
            if nested or isinstance(node, yaml.MappingNode):
                raise yaml.MarkedYAMLError(
                    problem=f"the alias *{event.anchor} stands for a section; "
                    "write its fields out",
                    problem_mark=event.start_mark,
                )
        return super().compose_node(parent, index)


def _load(path):
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


def _read_config(path, defaults):
    config = defaults.copy_and_resolve_references()  # including its sections
    try:
        values = _without_retired(flatten(_load(path)), defaults)
        for key, value in values.items():
            _section_of(config, key)  # raises for an unknown field
            config.update_from_flattened_dict({key: as_tuple(value)})
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
    """Drops retired fields; refuses values that mattered."""
    for key in RETIRED.keys() & values:
        has_effect, replacement = RETIRED[key]
        if has_effect(values[key]):
            raise ValueError(
                f"{key}={values[key]!r} is retired; in its place, "
                f"{replacement}. Change the line, or go on with the "
                "release that wrote it"
            )
    retired = RETIRED.keys() - flatten(defaults.to_dict())
    return {key: value for key, value in values.items() if key not in retired}


def _section_of(config, key):
    *sections, field = key.split(".")
    for section in sections:
        config = config[section]
    return config[field]


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value


def as_tuple(value):
    """Converts a list to the tuple that a configuration field holds."""
    return tuple(value) if isinstance(value, list) else value


def flatten(values: Mapping, prefix: str = "") -> dict[str, object]:
    """Returns the fields of all sections by dotted name."""
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
