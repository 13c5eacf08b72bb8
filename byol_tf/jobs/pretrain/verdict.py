"""Explains the numbers of a run in plain sentences."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from byol_tf.evaluation.accuracy import difference
from byol_tf.evaluation.collapse import rank_advice, rank_fell

LINES = 3  # measurements at least, of a slope over the last third of them
RISE = 0.01  # smallest rise of kNN or agreement that is called one
EASY = 0.98  # kNN accuracy that leaves hardly anything to gain
RANK_RISE = 0.03  # the same of the effective rank, as a share


def verdict(result: Mapping, metrics: Sequence[Mapping], milder: str) -> str:
    """Says what a run reached, whether to continue, and what to try next.

    Args:
        result: as in `train.json`: `before`, `after`, `raw`, `start`,
            `stopped`, `advice`, `monitored`.
        metrics: lines of `metrics.jsonl`.
        milder: advice on milder views.
    """
    before, after = result["before"], result["after"]
    if _finite(after, "feature_std") is None:
        return (
            "The representation is not finite: the training diverged. Lower "
            "optimizer.base_lr, or use precision=float32."
        )
    gains, sentences = [], []
    if "knn_accuracy" in after:
        sentences.append(_accuracy(after))
        start = "the weights as they came" if result["start"] else ""
        for name, other in (
            (start or "the random encoder", before),
            (result["raw"].get("name"), result["raw"]),
        ):
            if other.get("tested") == after["tested"]:
                gain, sentence = _against(name, other, after)
                gains.append(gain)
                sentences.append(sentence)
    else:
        sentences += _without_labels(after, metrics)
        sentences += _duplicates(result.get("duplicates"))
    rank_has_fallen = _rank_has_fallen(before, after)
    if rank_has_fallen:
        sentences.append(_rank(before, after) + ", which is bad.")
    improves = None if rank_has_fallen else _trend(result, metrics, sentences)
    sentences.append(_next(result, rank_has_fallen, gains, improves, milder))
    return " ".join(sentences)


def _accuracy(after):
    knn, count = after["knn_accuracy"], int(after["tested"])
    if after["folds"]:
        return (
            f"Of {count:,} examples, training and test together since the test "
            f"has few, {100 * knn:.1f} % get their right class in "
            f"{after['folds']:g}-fold cross-validation."
        )
    return (
        f"Of {count:,} test examples, {100 * knn:.1f} % get their right class "
        "by their nearest neighbours."
    )


def _against(name, other, after):
    """Returns 1, 0 or -1 for better, unclear and worse; and the sentence."""
    values = after["knn_accuracy"], other["knn_accuracy"]
    gain, low, high = difference(*values, int(after["tested"]))
    interval = f"95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    if low > 0:
        return 1, (
            f"That is {100 * gain:.1f} points above {name}, more than chance "
            f"({interval})."
        )
    if high < 0:
        return -1, (
            f"That is {-100 * gain:.1f} points below {name} ({interval})."
        )
    return 0, (
        f"The difference of {100 * gain:+.1f} points from {name} may be chance "
        f"({interval})."
    )


def _without_labels(after, metrics):
    """Explains agreement, spread and rank."""
    agreements = [line["agreement"] for line in metrics if "agreement" in line]
    spread, agreement = (
        after["feature_std"],
        agreements[-1] if agreements else None,
    )
    sentences = ["There are no labels, so accuracy is unknown."]
    if agreement is not None and math.isfinite(agreement):
        reading = (
            "good as long as spread and rank are high"
            if agreement >= 0.5
            else "low: it has hardly learned, or the views share too little"
        )
        sentences.append(
            f"The two views of an example agree by {agreement:.2f} (1 = "
            f"fully), {reading}."
        )
    reading = "they differ" if spread >= 0.3 else "they are much alike"
    sentences.append(
        f"Spread {spread:.2f} (0 = all examples alike, 1 = full): {reading}. "
        f"Effective rank {after['effective_rank']:.0f}: as many directions are "
        "in use."
    )
    return sentences


def _duplicates(counts):
    """Tells near-duplicates; nothing if most are, as where all is alike."""
    if not counts or 2 * counts["examples"] > counts["of"]:
        return []
    among = f"among {counts['of']:,} training examples"
    if not counts["groups"]:
        return [f"There are no near-duplicates {among}."]
    return [
        f"There are {counts['examples']:,} near-duplicates {among}, in "
        f"{counts['groups']:,} groups: look at them in report.html."
    ]


def _rank_has_fallen(before, after):
    first, last = (_finite(n, "effective_rank") for n in (before, after))
    return None not in (first, last) and rank_fell(first, last)


def _rank(before, after):
    return (
        f"The effective rank fell from {before['effective_rank']:.0f} to "
        f"{after['effective_rank']:.0f}: the representation lost most of its "
        "directions"
    )


def _trend(result, metrics, sentences):
    """Returns whether the run was still improving; None if unclear."""
    lines = [line for line in metrics if "effective_rank" in line]
    lines = lines[-max(LINES, -(-len(lines) // 3)) :]
    if len({line["epoch"] for line in lines}) < LINES:
        return None
    labelled = all("knn_accuracy" in line for line in lines)
    key = "knn_accuracy" if labelled else "agreement"
    rise, mean = _rise(lines, key)
    rank, rank_mean = _rise(lines, "effective_rank")
    if labelled:
        noise = math.sqrt(mean * (1 - mean) / max(result["monitored"], 1))
        improves = rise > max(RISE, noise)
        change = f"kNN accuracy changed by {100 * rise:+.1f} points"
    else:
        improves = rise > RISE or rank > RANK_RISE * rank_mean
        change = f"agreement changed by {rise:+.3f}, rank by {rank:+.1f}"
    # The learning rate falls to zero at the end, so a level curve does not tell
    # what a longer run would reach.
    finding = (
        "more epochs will probably help" if improves else "it levelled off"
    )
    sentences.append(
        f"From epoch {lines[0]['epoch']:.3g} to {lines[-1]['epoch']:.3g} "
        f"{change}: {finding}."
    )
    return improves


def _rise(lines, key):
    """Returns the rise of a fitted line from first to last, and the mean."""
    epochs = np.array([line["epoch"] for line in lines])
    values = [_finite(line, key) or 0.0 for line in lines]
    slope = np.polyfit(epochs - epochs[0], values, 1)[0]
    return slope * (epochs[-1] - epochs[0]), np.mean(values)


def _next(result, rank_has_fallen, gains, improves, milder):
    if result["stopped"]:
        return (
            f"Next: {result['stopped']} was found while it trained. "
            f"{result['advice']}"
        )
    if rank_has_fallen:
        return f"Next: {rank_advice(milder)}."
    if improves and min(gains, default=1) >= 0:
        return f"Next: go on, --config.epochs={2 * result['epochs']}."
    easy = gains and result["after"]["knn_accuracy"] >= EASY
    if easy and min(gains) == 0:
        return (
            "Next: judge it by labels that are harder to tell apart, since "
            "these are easy without learning."
        )
    if gains and min(gains) < 1:
        weights = (
            ""
            if result["start"]
            else "; or start from weights (encoder.weights)"
        )
        return (
            "Next: look at views.png. What tells your classes apart must "
            f"survive in both views: try {milder}{weights}."
        )
    if gains:
        return "Next: fine-tune it with your labels (byol_tf finetune)."
    return (
        "Next: look at the neighbours in report.html; if they are alike in "
        "the way you need, label some (byol_tf select), then byol_tf finetune."
    )


def _finite(metrics, key):
    value = metrics.get(key)
    return value if value is not None and math.isfinite(value) else None
