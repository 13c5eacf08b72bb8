"""Class-balanced random splits and subsets."""

import bisect
import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from byol_tf.checks import check_number
from byol_tf.data.examples import Examples
from byol_tf.data.fractions import Fraction
from byol_tf.lines import some


class Part(NamedTuple):
    """Ascending int64 positions, to train on and to choose settings by."""

    learn: np.ndarray
    validation: np.ndarray


def _of_each_class(labels, classes, draw: Callable) -> np.ndarray:
    """Returns the ascending positions that `draw(class, positions)` takes."""
    positions = [
        draw(label, np.flatnonzero(labels == label)) for label in classes
    ]
    return np.sort(np.concatenate([np.empty(0, np.int64), *positions]))


def holdout_mask(
    labels: np.ndarray,
    fraction: float,
    seed: int,
    name: str = "the training set",
) -> np.ndarray:
    """Marks the same fraction of every class at random.

    Of a class with at least two examples, at least one is marked and at least
    one is not; a single example is never marked.

    Args:
        labels: int `[n]`; negative ones mean no label and form one class.
        fraction: share of each class, in (0, 1).
        seed: seed of the choice.
        name: name of the dataset, for messages.

    Returns:
        bool `[n]`.

    Raises:
        ValueError: if no example can be marked.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"`fraction` must be in (0, 1). Received: fraction={fraction}"
        )
    labels = np.asarray(labels)
    rng = np.random.RandomState(seed & 0xFFFFFFFF)  # its streams never change

    def draw(label, members):
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        return rng.permutation(members)[:count]

    mask = np.zeros(len(labels), bool)
    mask[_of_each_class(labels, np.unique(labels), draw)] = True
    if not mask.any():
        raise ValueError(
            f"{name} is too small to hold out {fraction:.0%}: no class has two "
            f"examples. Received: {len(labels)}; add some"
        )
    return mask


def split_holdout(
    examples: Examples, fraction: float, seed: int
) -> tuple[Examples, Examples]:
    """Splits examples at random into (rest, held out), see `holdout_mask`.

    Of four or more examples, at least two are held out, since one shows
    nothing.
    """
    mask = holdout_mask(examples.labels, fraction, seed, examples.name)
    if mask.sum() == 1 and len(mask) > 3:
        classes, sizes = np.unique(examples.labels[~mask], return_counts=True)
        largest = examples.labels == classes[sizes.argmax()]
        mask[np.flatnonzero(largest & ~mask)[-1]] = True
    held_out = examples.subset(np.flatnonzero(mask))
    return (
        examples.subset(np.flatnonzero(~mask)),
        dataclasses.replace(held_out, skipped=()),
    )


def balanced_subset(
    labels: np.ndarray, per_class: int, seed: int
) -> np.ndarray:
    """Draws `per_class` examples of every class at random.

    Args:
        labels: int `[n]`; negative ones mean no label and are never drawn.
        per_class: number of examples per class.
        seed: seed of the draw.

    Returns:
        int64 `[per_class * classes]`, ascending indices.

    Raises:
        ValueError: if there are no labels, or a class has too few examples.
    """
    labels = np.asarray(labels)
    check_number("per_class", per_class, 1)
    classes = np.unique(labels[labels >= 0])
    if not len(classes):
        raise ValueError(
            "`labels` must hold labels. Received: "
            f"{len(labels)} examples, none with a label"
        )
    generator = np.random.default_rng(seed)

    def draw(label, members):
        if len(members) < per_class:
            raise ValueError(
                f"`per_class` must be at most {len(members)}, the examples "
                f"of class {label}. Received: per_class={per_class}"
            )
        return generator.choice(members, per_class, replace=False)

    return _of_each_class(labels, classes, draw)


def choose(
    strata: np.ndarray,
    fraction: Fraction,
    seed: int,
    names: Sequence[str] = (),
) -> np.ndarray:
    """Draws a fraction of the examples, the same number of every class.

    A share takes `round(share * n)` examples. Classes with fewer examples give
    all of theirs, and a remainder goes to the first classes. With the same
    seed, smaller parts are subsets of larger ones.

    Args:
        strata: int `[n]`, the class of each example, or all equal.
        fraction: see `parse_fractions`.
        seed: seed of the draw.
        names: names of the classes, for messages.

    Returns:
        int64 positions, ascending.

    Raises:
        ValueError: if a class would be empty or has too few examples, or a
            number per class is given although there are no classes.
    """
    strata = np.asarray(strata)
    classes, sizes = np.unique(strata, return_counts=True)
    per_class = _counts(classes, sizes, fraction, names)
    counts = dict(zip(classes, per_class, strict=True))

    def draw(label, members):
        rng = np.random.default_rng((seed, int(label)))
        return rng.permutation(members)[: counts[label]]

    return _of_each_class(strata, classes, draw)


def draw_part(
    strata: np.ndarray,
    fraction: Fraction,
    validation: float,
    seed: int,
    names: Sequence[str] = (),
) -> Part:
    """Draws a fraction as `choose` does, and holds out a share of it.

    The held-out share is part of the fraction: of "10-per-class" with a share
    of 0.2, 8 per class are trained on and 2 choose settings.

    Args:
        strata, fraction, seed, names: see `choose`.
        validation: share of every class in (0, 1), see `holdout_mask`.

    Raises:
        ValueError: if every class has only one example.
    """
    strata = np.asarray(strata)
    positions = choose(strata, fraction, seed, names)
    labels, sizes = np.unique(strata[positions], return_counts=True)
    if sizes.max() < 2:
        raise ValueError(
            f"{fraction.name} has one label of each class to train on, and "
            f"none to choose settings by; {_two_of_a_class(strata)}"
        )
    single = [_name(label, names) for label in labels[sizes < 2]]
    if single:
        logging.info(
            "%s has one example of %s, which does not help to choose settings "
            "(an example counts for its rarest class).",
            *(fraction.name, some(single)),
        )
    held_out = holdout_mask(strata[positions], validation, seed)
    return Part(positions[~held_out], positions[held_out])


def _counts(classes, sizes, fraction, names):
    if fraction.per_class is not None:
        return _fixed_counts(classes, sizes, fraction, names)
    total = fraction.count or round(fraction.share * sizes.sum())
    if total > sizes.sum():
        raise ValueError(
            f"{fraction.name} labels are more than exist; take at most "
            f"{sizes.sum()}, or all"
        )
    if total < len(classes):
        empty = _name(classes[total], names)
        raise ValueError(
            f"{fraction.name} of {sizes.sum()} labelled examples are {total}, "
            f"too few for {len(classes)} classes: {empty} would be left "
            f"empty; {_two_of_a_class(np.repeat(classes, sizes))}"
        )
    return _even_counts(sizes, total)


def _two_of_a_class(strata):
    """Returns advice: the smallest fraction with two labels of a class."""
    classes, sizes = np.unique(strata, return_counts=True)
    if sizes.max() < 2:
        return "label more examples of each class"
    least = 100 * (len(classes) + 1) / len(strata)
    return f"take at least {min(_rounded_up(least), 100):g}%"


def _fixed_counts(classes, sizes, fraction, names):
    if len(classes) < 2:
        raise ValueError(
            f"{fraction.name} needs classes, and this task has none; give a "
            "share such as 10%"
        )
    # Skip classes with one example, for which no number could be advised.
    least = np.where(sizes > 1, sizes, sizes.max()).argmin()
    if 1 < sizes[least] < fraction.per_class:
        raise ValueError(
            f"{fraction.name} asks for more labels than there are: "
            f"{_name(classes[least], names)} has {sizes[least]}; take at most "
            f"{sizes[least]}-per-class"
        )
    return np.minimum(sizes, fraction.per_class)


def _even_counts(sizes, total):
    """Shares out `total` evenly over classes of limited sizes."""
    # The highest level to which all classes can be filled.
    level = bisect.bisect_right(
        range(sizes.max() + 1),
        total,
        key=lambda level: np.minimum(sizes, level).sum(),
    )
    level -= 1
    counts = np.minimum(sizes, level)
    open_classes = np.flatnonzero(sizes > level)
    counts[open_classes[: total - counts.sum()]] += 1
    return counts


def _rounded_up(percent):
    """Rounds up to three significant digits."""
    step = 10.0 ** (np.floor(np.log10(percent)) - 2)
    return float(np.ceil(percent / step) * step)


def _name(label, names):
    return f"class {names[label] if label < len(names) else label!s}"
