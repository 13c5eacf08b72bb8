"""Presets of augmentation by kind of image: `--config.augment.preset=NAME`.

`docs/guides/augmentation.md` shows examples.
"""

from collections.abc import Sequence

FLAG = "--config.augment.preset="
PRESETS = {
    # Scenes and animals, for which colour is informative: mild colour changes,
    # and no blur, since views are small already.
    "photos": {
        "hue": 0.02,
        "grayscale": 0.0,
        "blur": (0.0, 0.0),
        "solarize": (0.0, 0.0),
    },
    # Products on a plain background that differ in colour and print: larger
    # crops, hardly any colour change.
    "products": {
        "area": (0.3, 1.0),
        "brightness": 0.3,
        "contrast": 0.3,
        "saturation": 0.1,
        "hue": 0.0,
        "grayscale": 0.0,
        "blur": (0.5, 0.1),
        "solarize": (0.0, 0.0),
    },
    # No preferred orientation, and stains whose colour matters.
    "microscopy": {
        "area": (0.3, 1.0),
        "turn": 1.0,
        "flip_vertical": 0.5,
        "hue": 0.02,
        "saturation": 0.1,
        "grayscale": 0.0,
        "blur": (0.3, 0.1),
        "solarize": (0.0, 0.0),
    },
    # One channel, or three equal ones.
    "gray": {
        "saturation": 0.0,
        "hue": 0.0,
        "grayscale": 0.0,
        "solarize": (0.0, 0.0),
    },
}


def with_preset(arguments: Sequence[str]) -> list[str]:
    """Adds the fields of a preset, except those that the arguments give.

    Args:
        arguments: flags, with or without `--config.augment.preset=NAME`.

    Raises:
        ValueError: if there is no preset of that name.
    """
    found = [word for word in arguments if word.startswith(FLAG)]
    name = found[-1].removeprefix(FLAG) if found else ""
    if not name:
        return list(arguments)
    if name not in PRESETS:
        raise ValueError(
            f"augment.preset must be one of {', '.join(PRESETS)}. "
            f"Received: {name!r}"
        )
    fields = (
        f"--config.augment.{key}={value}"
        for key, value in PRESETS[name].items()
    )
    given = {word.partition("=")[0] for word in arguments}
    added = [word for word in fields if word.partition("=")[0] not in given]
    shown = (word.removeprefix("--config.augment.") for word in added)
    print(f"Preset {name}: {', '.join(shown)}", flush=True)
    return [*arguments, *added]


def check(config, arguments: Sequence[str]) -> None:
    """Raises a ValueError if a file names a preset, which would have no effect.

    Args:
        config: configuration of a new run.
        arguments: the flags given to `with_preset`.
    """
    name = config.augment.preset
    if name and not any(word.startswith(FLAG) for word in arguments):
        raise ValueError(
            f"augment.preset={name!r} sets nothing in a file; give "
            f"{FLAG}{name} on the command line, or the fields of "
            "configs/presets.py"
        )
