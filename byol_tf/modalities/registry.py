"""Modalities by name: the only place that imports one."""

import importlib
import operator

from byol_tf.modalities.contract import Modality

MEMBERS = {"image": "byol_tf.modalities.image.modality:IMAGE"}


def load_modality(name: str) -> Modality:
    """Imports the modality of a name when it is asked for.

    Args:
        name: "image", or "package.module:object" for one of your own.

    Raises:
        ValueError: there is none of that name, or it lacks a part of the
            contract.
    """
    module, _, attribute = MEMBERS.get(name, name).partition(":")
    if not (module and attribute) or module.startswith("."):
        raise ValueError(
            f"`modality` must be one of {', '.join(MEMBERS)}, or "
            f"'module:object' for one of your own. Received: {name!r}"
        )
    try:
        found = operator.attrgetter(attribute)(importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"modality {name!r} cannot be imported: {error}; its module must "
            "lie beside the command or be installed"
        ) from error
    members = {*Modality.__annotations__, *vars(Modality)}
    missing = [
        member
        for member in sorted(members)
        if member[0] != "_" and not hasattr(found, member)
    ]
    if missing:
        raise ValueError(
            f"modality {name!r} must have all of "
            "byol_tf.modalities.contract.Modality. Missing: "
            f"{', '.join(missing)}"
        )
    return found
