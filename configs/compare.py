"""Comparisons: every field, and presets.

    byol_tf compare runs/objectives --config=compare:objectives

Presets: `objectives` (BYOL and related methods), `ablations` (BYOL without one
of its parts), `batch` (batch sizes). Without a preset, BYOL alone is run with
three seeds. You can also give a grid on the command line:

    byol_tf compare runs/tau \
        --config.grid='(("objective.tau",0.9,0.99,0.999),)'

One run of the default base takes about five minutes on two CPU cores.
"""

import pathlib

import ml_collections

from configs import command_line
from configs.kinds import KINDS

_BYOL = ("byol",)
_OTHERS = ("moco_v3", "simsiam", "simclr", "triplet")
_OTHERS += ("barlow_twins", "vicreg")
_NO_COLOUR = ("augment.jitter=0.0", "augment.grayscale=0.0")
# Ablations of views that only images have.
OF_IMAGES = (
    ("without colour", *_NO_COLOUR),
    (
        "crop only",
        *_NO_COLOUR,
        "augment.flip=0.0",
        "augment.blur=(0.0,0.0)",
        "augment.solarize=(0.0,0.0)",
    ),
)
_PRESETS = {
    "": {"variants": (_BYOL,)},
    "objectives": {
        "variants": (
            _BYOL,
            *((name, f"objective.name={name}") for name in _OTHERS),
        )
    },
    "ablations": {
        "variants": (
            _BYOL,
            ("no predictor", "objective.predictor=False"),
            (
                "no predictor, no norm after the projector",
                "objective.predictor=False",
                "objective.normalize_projection=False",
            ),
            (
                "no average (tau 0)",
                "objective.tau=0.0",
                "objective.tau_schedule=constant",
            ),
            (
                "random target (tau 1)",
                "objective.tau=1.0",
                "objective.tau_schedule=constant",
            ),
            *OF_IMAGES,
        )
    },
    "batch": {"grid": (("batch_size", 32, 64, 128, 256, 512, 1024),)},
}


def get_config(preset: str = "") -> ml_collections.ConfigDict:
    if preset not in _PRESETS:
        # The only error that absl's flag passes on unchanged.
        raise FileNotFoundError(
            f"the preset must be one of {', '.join(filter(None, _PRESETS))}. "
            f"Received: {preset!r}"
        )
    config = ml_collections.ConfigDict()
    # Recipe of all runs, as for `byol_tf pretrain --config`.
    config.base = str(pathlib.Path(__file__).parent / "quickstart.py")
    config.common = ()  # overrides for all runs: ("epochs=20", ...)
    config.variants = ()  # (name, override, ...) each
    config.grid = ()  # (field, value, ...) each; all combinations are run
    config.seeds = (0, 1, 2)  # one run of each variant per seed
    config.workers = 1  # runs at a time; each uses every core
    config.update(_PRESETS[preset])
    return config


def leave_out_others(config: ml_collections.ConfigDict) -> None:
    """Leaves out ablations of images if the data are of another known kind."""
    own = (o for o in config.common if o.startswith("modality="))
    modality = command_line.load(config.base, (*own,)).modality
    if modality == "image" or modality not in KINDS:
        return
    others = [v for v in config.variants if v in OF_IMAGES]
    if others:
        names = ", ".join(name for name, *_ in others)
        print(f"Left out, since only images have such views: {names}")
        config.variants = tuple(v for v in config.variants if v not in others)
