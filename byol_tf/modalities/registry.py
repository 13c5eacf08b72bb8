"""Modalities by name. Only this module imports them."""

import importlib
import operator
import sys

from byol_tf.modalities.contract import Modality

MEMBERS = {
    "image": "byol_tf.modalities.image.modality:IMAGE",
    "audio": "byol_tf.modalities.audio.modality:AUDIO",
    "text": "byol_tf.modalities.text.modality:TEXT",
    "history": "byol_tf.modalities.history.modality:HISTORY",
}


def load_modality(name: str) -> Modality:
    """Imports a modality by its name.

    Args:
        name: a key of `MEMBERS`, or "package.module:object" for one of your
            own.

    Raises:
        ValueError: if there is none of that name, or it lacks a part of the
            contract.
    """
    module, _, attribute = MEMBERS.get(name, name).partition(":")
    if not (module and attribute) or module.startswith("."):
        raise ValueError(
            f"`modality` must be one of {', '.join(MEMBERS)}, or "
            f"'module:object' for one of your own. Received: {name!r}"
        )
    try:
        modality = operator.attrgetter(attribute)(
            importlib.import_module(module)
        )
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"modality {name!r} cannot be imported: {error}; install its "
            "module, or put its folder on PYTHONPATH"
        ) from error
    members = {*Modality.__annotations__, *vars(Modality)}
    missing = [
        member
        for member in sorted(members)
        if member[0] != "_" and not hasattr(modality, member)
    ]
    if missing:
        raise ValueError(
            f"modality {name!r} must have all of "
            "byol_tf.modalities.contract.Modality. Missing: "
            f"{', '.join(missing)}"
        )
    return modality


def load_named(name: str, trusted: str = "") -> Modality:
    """Returns the modality that a file of a run names.

    A file alone never causes an import, which would run the code that it names.

    Args:
        name: name in the file.
        trusted: name of a modality that may be imported.

    Raises:
        ValueError: if it would have to be imported and is not trusted.
    """
    module = str(name).partition(":")[0]
    if name in MEMBERS or name == trusted or module in sys.modules:
        return load_modality(name)
    raise ValueError(
        f"it names the modality {name!r}, which would have to be imported; if "
        f"you know that code, allow it by --config.modality={name}"
    )
