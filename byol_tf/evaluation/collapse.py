"""Detects collapsed representations, and advises what to change."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from byol_tf.evaluation.vectors import unit_rows

MILDER = "views that change less"  # what `milder_views` says without settings
_MIN_RANK_SHARE = 0.5  # of the first effective rank; else directions were lost


def rank_advice(milder: str) -> str:
    """Returns advice to keep the rank; `milder` is the advice on views."""
    return (
        "lower optimizer.base_lr to a quarter and optimizer.weight_decay to a "
        f"fifth, and try {milder}"
    )


def milder_views(settings: Mapping, entries: Sequence[tuple]) -> str:
    """Returns advice on milder views: the settings that are not mild already.

    Args:
        settings: values in force by field, such as "augment.hue".
        entries: see `modalities.contract.Modality.milder`.
    """

    def strength(value, none):
        return np.abs(np.asarray(value) - none).max()

    milder = [
        f"{field}={','.join(map(str, np.atleast_1d(value)))}"
        for field, value, none in entries
        if strength(settings[field], none) > strength(value, none)
    ]
    return f"milder views ({', '.join(milder)})" if milder else MILDER


def collapse_statistics(
    representations: np.ndarray,
    projections_online: np.ndarray | None = None,
    projections_target: np.ndarray | None = None,
) -> dict[str, float]:
    """Measures how much of its space a representation uses.

    Args:
        representations: float `[n, dim]` of some hundred different inputs.
        projections_online: None, or the online network's predictions
            `[m, size]`.
        projections_target: None, or the target network's projections
            `[m, size]` of the other view of the same inputs.

    Returns:
        Floats by name, all NaN where the vectors are not finite:

        * `feature_std`: standard deviation of each unit of the representation
          scaled to unit length, averaged over the units, times sqrt(dim).
          0 for a constant, close to 1 for vectors spread evenly over the
          sphere, at most 0.83 for independent outputs of a ReLU.
        * `effective_rank`: exponential of the entropy of the singular values
          of the centred representation, divided by their sum. r equally
          strong directions give r; a constant gives 0.
        * `effective_rank_ratio`: `effective_rank` / min(n - 1, dim), its
          maximum.
        * `dead_units`: share of the units that do not vary.
        * `projection_std`: like `feature_std`, of the target's projections.
        * `agreement`: mean cosine between prediction and projection; the loss
          of one direction is 2 - 2 agreement.

    Raises:
        ValueError: if shapes are invalid.

    References: for the deviation, Chen and He 2021, "Exploring simple Siamese
    representation learning", section 4.1; for the rank, Garrido et al. 2023,
    "RankMe", there without centring, which here would let the mean direction
    of ReLU outputs hide all others.
    """
    statistics = _measure(as_matrix(representations, "representations"))
    if projections_online is None and projections_target is None:
        return statistics
    if projections_online is None or projections_target is None:
        raise ValueError(
            "`projections_online` and `projections_target` must be given "
            "together. Received: only one of them"
        )
    online = as_matrix(projections_online, "projections_online")
    target = as_matrix(projections_target, "projections_target")
    if online.shape != target.shape:
        raise ValueError(
            "`projections_online` and `projections_target` must have the same "
            f"shape. Received: {online.shape} and {target.shape}"
        )
    finite = np.isfinite(online).all() and np.isfinite(target).all()
    statistics["projection_std"] = _spread(target) if finite else math.nan
    statistics["agreement"] = _agreement(online, target) if finite else math.nan
    return statistics


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """A problem with a representation, or with the training examples.

    Attributes:
        name: "not_finite", "complete_collapse" or "dimensional_collapse" by
            `diagnose`; others by `training.health.diagnose_examples`.
        advice: the numbers that show it and the settings to change, in
            sentences.
    """

    name: str
    advice: str


def diagnose(
    statistics: dict[str, float],
    loss: float | None = None,
    *,
    min_std: float = 0.01,
    min_projection_std: float = 0.1,
    max_agreement: float = 0.98,
    min_rank: float = 2.0,
    min_rank_ratio: float = 0.01,
    stronger: str = "",
) -> Diagnosis | None:
    """Detects a collapse, and names settings that help.

    The limits lie below an untrained encoder, so that the first epochs raise no
    alarm: untrained ResNets on small images have a `feature_std` of 0.08 (18
    layers) to 0.3 and an `effective_rank_ratio` above 0.3.

    A collapse often shows only in the projections: batch norm keeps the
    representation spread while the projector maps it to a constant. After 20
    steps, small ResNets trained without predictor and average had an
    `agreement` of 0.998, a `projection_std` of 0.07 (healthy: 0.7), and a
    `feature_std` of 0.5 (healthy: the same).

    Args:
        statistics: result of `collapse_statistics`, or any part of it.
        loss: None, or the latest loss.
        min_std: a `feature_std` below this is a complete collapse. bfloat16
            gives at most 0.004 for a constant.
        min_projection_std: a `projection_std` below this is a complete collapse
            if `agreement` also reaches `max_agreement`, which it does not in an
            untrained model.
        max_agreement: see `min_projection_std`.
        min_rank: an `effective_rank` below this is a dimensional collapse.
        min_rank_ratio: so is an `effective_rank_ratio` below this.
        stronger: field of the strength of the views, to be advised.

    Returns:
        The most severe finding; None if nothing is wrong.
    """
    values = dict(statistics) if loss is None else {**statistics, "loss": loss}
    broken = [key for key, value in values.items() if not math.isfinite(value)]
    if broken:
        return Diagnosis("not_finite", _NOT_FINITE.format(", ".join(broken)))

    def below(key, limit):
        if values.get(key, math.inf) < limit:
            return f"{key} is {values[key]:.2g}, below {limit:g}"
        return None

    agree = values.get("agreement", 0.0) >= max_agreement
    symptom = below("feature_std", min_std) or (
        below("projection_std", min_projection_std) if agree else None
    )
    if symptom:
        return Diagnosis("complete_collapse", _COMPLETE.format(symptom))
    symptom = below("effective_rank", min_rank) or below(
        "effective_rank_ratio", min_rank_ratio
    )
    if symptom:
        return Diagnosis(
            "dimensional_collapse",
            _DIMENSIONAL.format(symptom, stronger and f" ({stronger})"),
        )
    return None


def rank_fell(first: float, rank: float) -> bool:
    """Returns whether the effective rank fell below half of `first`."""
    return rank < _MIN_RANK_SHARE * first


_NOT_FINITE = (
    "{} is NaN or infinite. Lower the learning rate (optimizer.base_lr) or "
    "lengthen the warm-up (optimizer.warmup_epochs). In float16 try bfloat16 "
    "or float32 (precision). Check the inputs for NaN and for values outside "
    "[0, 1]. The last good checkpoint stays."
)
_COMPLETE = (
    "All inputs give nearly the same vector ({}). Check, in a method with a "
    "predictor, that it is there and that no gradient reaches the target. "
    "Keep batch norm in the heads, synchronised over replicas. Raise "
    "objective.tau, if there is a target network, towards 1, so that it "
    "moves more slowly. Lower optimizer.base_lr or optimizer.weight_decay. "
    "Raise batch_size if it is below about 64."
)
_DIMENSIONAL = (
    "The inputs differ along hardly more than one direction ({}). Strengthen "
    "the augmentation{}, so that no single property such as brightness, "
    "loudness or length solves the task. Raise batch_size. "
    "Lower optimizer.weight_decay and optimizer.base_lr. Look at views.png: "
    "do the views still show the input?"
)


def as_matrix(vectors: np.ndarray, name: str, min_rows: int = 2) -> np.ndarray:
    """Returns float64 `[n, dim]`; ValueError if n < `min_rows` or dim < 1."""
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2 or len(vectors) < min_rows or vectors.shape[1] < 1:
        raise ValueError(
            f"`{name}` must be a matrix with at least {min_rows} rows. "
            f"Received: {name}.shape={vectors.shape}"
        )
    return vectors


def _measure(vectors):
    if not np.isfinite(vectors).all():
        names = "feature_std effective_rank effective_rank_ratio dead_units"
        return dict.fromkeys(names.split(), math.nan)
    rank = _effective_rank(vectors)
    size = math.sqrt(np.mean(vectors**2))
    return {
        "feature_std": _spread(vectors),
        "effective_rank": rank,
        "effective_rank_ratio": rank / min(len(vectors) - 1, vectors.shape[1]),
        "dead_units": float(np.mean(vectors.std(axis=0) <= 1e-6 * size)),
    }


def _spread(vectors):
    deviations = unit_rows(vectors).std(axis=0)
    return float(deviations.mean() * math.sqrt(vectors.shape[1]))


def _agreement(online, target):
    return float(np.mean(np.sum(unit_rows(online) * unit_rows(target), 1)))


def _effective_rank(vectors):
    singular = _singular_values(vectors)
    if not len(singular):
        return 0.0
    shares = singular / singular.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _singular_values(vectors):
    """Returns singular values after centring; drops mere rounding errors."""
    centred = vectors - vectors.mean(axis=0)
    wide = vectors.shape[1] > vectors.shape[0]
    gram = centred @ centred.T if wide else centred.T @ centred
    squares = np.linalg.eigvalsh(gram)
    floor = np.finfo(np.float32).eps ** 2 * np.sum(vectors**2)
    return np.sqrt(squares[squares > floor])
