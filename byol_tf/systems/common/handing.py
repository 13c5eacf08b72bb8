"""When to hand a question over to a person."""

import numpy as np
from absl import logging
from sklearn.metrics import roc_auc_score


def threshold(
    inside: np.ndarray, outside: np.ndarray, precision: float, share: float
) -> float:
    """Returns the score below which a question is handed over; 0.0: none is.

    Of the thresholds with the required precision, takes the one that hands over
    most out-of-scope questions, half-way between the scores around it.

    Args:
        inside: scores of held-out questions that can be answered.
        outside: scores of questions that are out of scope.
        precision: lowest share of handed-over questions that are out of scope.
        share: assumed share of out-of-scope questions among all.
    """
    inside, outside = np.sort(inside), np.sort(outside)
    steps = np.unique(np.concatenate([inside, outside]))
    steps = np.append(steps, np.nextafter(steps[-1], np.inf))
    hits = share * np.searchsorted(outside, steps) / max(len(outside), 1)
    errors = (1 - share) * np.searchsorted(inside, steps) / max(len(inside), 1)
    precise = (hits > 0) & (hits >= precision * (hits + errors))
    if not precise.any():
        advice = "ask for less by --config.precision="
        if not len(outside):
            advice = "add oos_val.csv (text) with questions to hand over"
        logging.warning(
            "no threshold hands over with a precision of %g; all questions "
            "are answered: %s",
            *(precision, advice),
        )
        return 0.0
    last = np.nonzero(precise)[0][-1]  # not 0: nothing is below step 1
    if last == len(steps) - 1:  # half-way to it would be rounded down
        return float(steps[last])
    return float((steps[last - 1] + steps[last]) / 2)


def recall_and_precision(
    inside: np.ndarray, outside: np.ndarray, limit: float
) -> tuple[float, float]:
    """Returns recall and precision of handing over out-of-scope questions."""
    hits, errors = (outside < limit).sum(), (inside < limit).sum()
    return hits / len(outside), hits / max(hits + errors, 1)


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Returns the probability that an out-of-scope question scores lower."""
    is_outside = np.repeat([False, True], [len(inside), len(outside)])
    return float(roc_auc_score(is_outside, -np.append(inside, outside)))
