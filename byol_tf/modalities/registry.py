"""Modalities by name: the only place that imports one."""

import importlib

_MEMBERS = {"image": "byol_tf.modalities.image.modality:IMAGE"}


def load_modality(name: str):
    """The modality of a name, imported when it is asked for.

    Args:
        name: "image", or `module:object` of one's own.

    Raises:
        ValueError: there is none of that name.
    """
    module, _, attribute = _MEMBERS.get(name, name).partition(":")
    try:
        if attribute:
            return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"modality={name} cannot be imported: {error}"
        ) from error
    raise ValueError(
        f"`modality` must be {', '.join(_MEMBERS)}, or module:object. "
        f"Received: {name!r}"
    )
