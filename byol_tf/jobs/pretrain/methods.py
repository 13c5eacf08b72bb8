"""Makes the model to train from `config.objective` and `config.heads`."""

from collections.abc import Callable
from typing import NamedTuple

from byol_tf.checks import check_choice, in_section
from byol_tf.methods.byol import BYOL
from byol_tf.methods.dense import DenseBYOL
from byol_tf.methods.joint import BarlowTwins, SimCLR, Triplet, VICReg
from byol_tf.methods.moco_v3 import MoCoV3
from byol_tf.methods.pretrainer import Pretrainer
from byol_tf.methods.simsiam import SimSiam
from byol_tf.runtime import dtype_policy

TAU_SCHEDULES = ("cosine", "constant")


class Method(NamedTuple):
    """A method of pretraining, and its fields in a configuration."""

    title: str
    model: type[Pretrainer]
    fields: tuple[str, ...] = ()  # in the section `objective`
    target: bool = False  # has a target network, hence tau
    predictor: bool = False


METHODS = {
    "byol": Method(
        "BYOL",
        BYOL,
        ("target_init", "normalize_projection"),
        target=True,
        predictor=True,
    ),
    "dense_byol": Method(
        "dense BYOL",
        DenseBYOL,
        ("target_init", "normalize_projection", "level", "dense_weight"),
        target=True,
        predictor=True,
    ),
    "moco_v3": Method(
        "MoCo v3",
        MoCoV3,
        ("target_init", "temperature"),
        target=True,
        predictor=True,
    ),
    "simsiam": Method("SimSiam", SimSiam, predictor=True),
    "simclr": Method("SimCLR", SimCLR, ("temperature",)),
    "triplet": Method("Triplet loss", Triplet, ("margin",)),
    "barlow_twins": Method(
        "Barlow Twins", BarlowTwins, ("off_diagonal_weight", "loss_scale")
    ),
    "vicreg": Method(
        "VICReg", VICReg, ("invariance", "variance", "covariance")
    ),
}


def make_model(
    config, encoder, views, *, tau, probe_classes: int, find_levels: Callable
) -> Pretrainer:
    """Makes the model of the configured method, not compiled.

    Args:
        config: configuration of a run, checked.
        encoder: a built encoder.
        views: the augmentation, or None if the dataset yields views.
        tau: decay of the target network or its schedule, if there is one.
        probe_classes: classes of the linear probe; 0: no probe.
        find_levels: finds the feature maps of an encoder, `Modality.levels`.
    """
    method = METHODS[config.objective.name]
    # What is 0 is left to the method.
    sizes = {key: size for key, size in config.heads.items() if size}
    options = {key: config.objective[key] for key in method.fields}
    if "level" in options:
        options["level"] = _layer_of_level(
            find_levels(encoder), options["level"]
        )
    if method.target:
        options["tau"] = tau
        if config.encoder.weights:  # a random target would undo them
            options["target_init"] = "copy"
    if method.predictor:
        multiplier = config.objective.predictor_lr_multiplier
        options["predictor_lr_multiplier"] = multiplier
        if not config.objective.predictor:
            sizes["predictor_hidden_size"] = 0
    else:
        sizes.pop("predictor_hidden_size", None)
    return method.model(
        encoder,
        views,
        probe_classes=probe_classes,
        seed=config.seed,
        dtype=dtype_policy(config.precision),
        **sizes,
        **options,
    )


def _layer_of_level(levels, name):
    if not levels:
        raise ValueError(
            "objective.name=dense_byol is for encoders with feature maps or "
            "frames, of images or sounds; this encoder has none"
        )
    if name not in levels:
        raise ValueError(
            f"objective.level must be a level of the encoder, one of: "
            f"{', '.join(levels)}. Received: {name!r}"
        )
    return levels[name][0]


def title(config) -> str:
    """Returns the title of the method."""
    return METHODS[config.objective.name].title


def check(config) -> None:
    """Raises a ValueError that names a field which a method refuses.

    Also checks fields of other methods than the configured one.
    """
    section = config.objective
    with in_section("objective"):
        check_choice("name", section.name, tuple(METHODS))
        check_choice("tau_schedule", section.tau_schedule, TAU_SCHEDULES)
        multiplier = section.predictor_lr_multiplier
        Pretrainer.check(predictor_lr_multiplier=multiplier)
        for method in METHODS.values():
            method.model.check(**{key: section[key] for key in method.fields})
    with in_section("heads"):
        # What is 0 is left to the method.
        sizes = {key: size for key, size in config.heads.items() if size}
        Pretrainer.check(**sizes)
