"""Groups of near-duplicate images."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from byol_tf.checks import check_number
from byol_tf.files import write_csv
from byol_tf.lines import progress_bar
from byol_tf.search.index import IndexSettings, neighbours_of_all
from byol_tf.search.table import ROWS, Embeddings

_STRIP = 1024  # rows compared with a block at a time
_GROUPS = 4096  # whose first images are in memory at once


@dataclasses.dataclass(frozen=True)
class DuplicateSettings:
    """What counts as a duplicate.

    Attributes:
        threshold: cosine from which on two images are near-duplicates.
        neighbours: of each image that an approximate index is asked for.
    """

    threshold: float
    neighbours: int

    def __post_init__(self):
        check_number("duplicates.threshold", self.threshold, -1.0, 1.0)
        check_number("duplicates.neighbours", self.neighbours, 2)


class Group(NamedTuple):
    """Near-duplicates of each other, directly or by others.

    Attributes:
        rows: int `[n]` of the embeddings, ascending.
        cosines: float32 `[n]`, to the first of them.
    """

    rows: np.ndarray
    cosines: np.ndarray


def duplicate_groups(
    embeddings: Embeddings,
    settings: DuplicateSettings,
    index: IndexSettings,
) -> list[Group]:
    """Connected components of the pairs at or above a cosine.

    Every pair is compared up to `index.exact_below` images; above, every
    image with the nearest that an approximate index finds. A few blocks of
    representations are in memory at once.

    Returns:
        Groups of at least two, the largest first.
    """
    if len(embeddings) <= index.exact_below:
        pairs = _pairs_of_all(embeddings, settings.threshold)
    else:
        pairs = _pairs_of_index(embeddings, settings, index)
    members = np.arange(len(embeddings))
    for left, right in pairs:
        members = _merged(members, left, right)
    return _with_cosines(embeddings, _groups(members))


def _pairs_of_all(embeddings, threshold) -> Iterator:
    total = len(embeddings)
    with progress_bar("compare", total=total, unit="image") as bar:
        for start, block in embeddings.blocks():
            for first in range(0, len(block), _STRIP):
                strip = block[first : first + _STRIP]
                yield from _pairs(embeddings, start + first, strip, threshold)
                bar.update(len(strip))


def _pairs(embeddings, first, strip, threshold):
    for start, block in embeddings.blocks(first):
        left, right = np.nonzero(strip @ block.T >= threshold)
        left, right = left + first, right + start
        later = right > left
        yield left[later], right[later]


def _pairs_of_index(embeddings, settings, index) -> Iterator:
    found = neighbours_of_all(embeddings, settings.neighbours, index)
    for start, rows, cosines in found:
        left, column = np.nonzero(cosines >= settings.threshold)
        yield left + start, rows[left, column]


def _merged(members, left, right):
    """Numbers of components, after some pairs have been joined."""
    if not len(left):
        return members
    edges = (np.ones(len(left), bool), (members[left], members[right]))
    shape = (len(members), len(members))
    _, joined = connected_components(coo_matrix(edges, shape), directed=False)
    return joined[members]


def _groups(members):
    """Rows of each component of at least two, the largest first."""
    order = np.argsort(members, kind="stable")
    cuts = np.flatnonzero(np.diff(members[order])) + 1
    groups = [rows for rows in np.split(order, cuts) if len(rows) > 1]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def _with_cosines(embeddings, groups):
    done = []
    for start in range(0, len(groups), _GROUPS):
        some = groups[start : start + _GROUPS]
        firsts = embeddings.rows([rows[0] for rows in some])
        rows = np.concatenate(some)
        of_group = np.repeat(np.arange(len(some)), list(map(len, some)))
        cosines = np.empty(len(rows), np.float32)
        for at, block in embeddings.blocks():
            here = np.flatnonzero((rows >= at) & (rows < at + len(block)))
            for part in np.split(here, range(ROWS, len(here), ROWS)):
                pair = block[rows[part] - at], firsts[of_group[part]]
                cosines[part] = np.einsum("nd,nd->n", *pair)
        cuts = np.cumsum(list(map(len, some)))[:-1]
        done += map(Group, some, np.split(cosines, cuts))
    return done


def write_groups(
    embeddings: Embeddings, groups: Sequence[Group], target: str | os.PathLike
) -> None:
    """Writes a CSV file: group (from 1), path, cosine to the group's first."""
    rows = (
        (number, embeddings.path_of(row), f"{cosine:.6f}")
        for number, group in enumerate(groups, start=1)
        for row, cosine in zip(*group, strict=True)
    )
    write_csv(target, [("group", "path", "cosine"), *rows])
