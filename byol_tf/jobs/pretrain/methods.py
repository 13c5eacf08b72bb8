"""From `config.objective` and `config.heads` to the model that is trained."""

from typing import NamedTuple

from byol_tf.methods.byol import BYOL
from byol_tf.methods.joint import BarlowTwins, SimCLR, Triplet, VICReg
from byol_tf.methods.moco_v3 import MoCoV3
from byol_tf.methods.pretrainer import Pretrainer
from byol_tf.methods.simsiam import SimSiam
from byol_tf.runtime import dtype_policy


class Method(NamedTuple):
    """A method of pretraining, by the names of its configuration."""

    title: str
    model: type[Pretrainer]
    fields: tuple[str, ...] = ()  # of the section `objective`
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
    config, encoder, views, *, tau, probe_classes: int
) -> Pretrainer:
    """The model of the configured method, not compiled.

    Args:
        config: of a run, checked.
        encoder: a built encoder.
        views: the augmentation, or None where the data brings the views.
        tau: decay of the target network or its schedule, where there is one.
        probe_classes: classes of the linear probe; 0 for none.
    """
    method = METHODS[config.objective.name]
    # What is 0 is left to the method.
    sizes = {key: size for key, size in config.heads.items() if size}
    own = {key: config.objective[key] for key in method.fields}
    if method.target:
        own["tau"] = tau
    if method.predictor:
        multiplier = config.objective.predictor_lr_multiplier
        own["predictor_lr_multiplier"] = multiplier
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
        **own,
    )


def title(config) -> str:
    """What the method is called."""
    return METHODS[config.objective.name].title


def rules(config) -> tuple[tuple[str, bool, str], ...]:
    """The fields, whether their values are possible, and what would be."""
    heads, objective = config.heads, config.objective
    own = "0 for the method's own, or"
    return (
        ("objective.name", objective.name in METHODS,
         f"one of {', '.join(METHODS)}"),
        ("heads.hidden_size", heads.hidden_size >= 0, f"{own} at least 1"),
        ("heads.projection_size", heads.projection_size >= 0,
         f"{own} at least 1"),
        ("heads.projector_layers",
         heads.projector_layers == 0 or heads.projector_layers >= 2,
         f"{own} at least 2"),
        ("heads.predictor_hidden_size", heads.predictor_hidden_size >= 0,
         f"{own} at least 1"),
        ("objective.tau", 0 <= objective.tau <= 1, "in [0, 1]"),
        ("objective.tau_schedule",
         objective.tau_schedule in ("cosine", "constant"),
         "cosine or constant"),
        ("objective.target_init",
         objective.target_init in ("independent", "copy"),
         "independent or copy"),
        ("objective.predictor_lr_multiplier",
         objective.predictor_lr_multiplier > 0, "above 0"),
        ("objective.temperature", objective.temperature > 0, "above 0"),
        ("objective.margin", 0 < objective.margin <= 4,
         "above 0 and at most 4, the largest squared distance of unit vectors"),
        ("objective.off_diagonal_weight", objective.off_diagonal_weight >= 0,
         "0 or more"),
        ("objective.loss_scale", objective.loss_scale > 0, "above 0"),
        ("objective.invariance", objective.invariance >= 0, "0 or more"),
        ("objective.variance", objective.variance >= 0, "0 or more"),
        ("objective.covariance", objective.covariance >= 0, "0 or more"),
    )  # fmt: skip
