"""Groups of near-duplicate images."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from byol_tf.checks import check_number
from byol_tf.evaluation.vectors import unit_rows
from byol_tf.files import write_csv
from byol_tf.lines import progress_bar
from byol_tf.search.index import IndexSettings, neighbours_of_all
from byol_tf.search.table import ROWS, Embeddings

_STRIP = 1024  # rows compared with a block at a time
_GROUPS = 4096  # groups whose first images are in memory at once
# Distance below which unit vectors are equal up to rounding.
_SAME_DISTANCE = 2e-3
_CHANCE = 0.01  # expected number of groups by chance in a whole set
_MIN_GAP = 2.0


@dataclasses.dataclass(frozen=True)
class DuplicateSettings:
    """Rules for near-duplicates.

    Attributes:
        threshold: lowest cosine of near-duplicates; 0: by gaps, see
            `duplicate_groups`.
        neighbours: neighbours checked per image, by gaps or with an approximate
            index.
    """

    threshold: float
    neighbours: int

    def __post_init__(self):
        check_number("duplicates.threshold", self.threshold, -1.0, 1.0)
        check_number("duplicates.neighbours", self.neighbours, 2)


class Group(NamedTuple):
    """Near-duplicates of each other, directly or through others.

    Attributes:
        rows: int `[n]` of the embeddings, ascending.
        cosines: float32 `[n]`, to the first of them.
    """

    rows: np.ndarray
    cosines: np.ndarray


class DuplicateGroups(NamedTuple):
    """Groups of at least two, the largest first, and the rule in words."""

    groups: list[Group]
    rule: str


def duplicate_groups(
    embeddings: Embeddings,
    settings: DuplicateSettings,
    index: IndexSettings,
) -> DuplicateGroups:
    """Returns the connected components of near-duplicate pairs.

    With a threshold, these are pairs at or above that cosine. Without, a pair
    counts if each comes, in the other's list of neighbours, before a gap that
    is too wide to be chance in this dataset, see `widest_by_chance`; equal
    vectors always count.

    Up to `index.exact_below` images, every pair is compared; above, every image
    with its nearest ones by an approximate index. Memory holds a few blocks of
    representations, and without a threshold the neighbours of all images.

    Args:
        embeddings: embeddings of the images.
        settings: rules for near-duplicates.
        index: when and how to search approximately.
    """
    rule = f"cosine of at least {settings.threshold:g}"
    if not settings.threshold:
        rows, distances = _neighbours(embeddings, settings, index)
        gap = widest_by_chance(distances)
        pairs = _pairs_by_gap(rows, distances, gap)
        rule = f"next one at least {gap:.1f} times as far"
    elif len(embeddings) <= index.exact_below:
        pairs = _pairs_of_all(embeddings, settings.threshold)
    else:
        pairs = _pairs_of_index(embeddings, settings, index)
    groups = _groups(pairs, len(embeddings))
    return DuplicateGroups(_with_cosines(embeddings, groups), rule)


def groups_among(vectors: np.ndarray, neighbours: int = 32) -> list[np.ndarray]:
    """Returns rows of the groups of near-duplicates by gaps, largest first.

    As `duplicate_groups`, but for some thousand vectors in memory, and without
    the packages of the extra `search`.

    Args:
        vectors: float `[n, features]`, finite.
        neighbours: neighbours checked per vector.
    """
    vectors = unit_rows(vectors)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :-1][:, :neighbours]
    neighbour_cosines = np.take_along_axis(cosines, rows, axis=1)
    distances = np.sqrt(np.maximum(2 - 2 * neighbour_cosines, 0))
    pairs = _pairs_by_gap(rows, distances, widest_by_chance(distances))
    return _groups(pairs, len(vectors))


def widest_by_chance(distances: np.ndarray) -> float:
    """Returns the least factor between neighbour distances that is no chance.

    If vectors are spread evenly in m dimensions, the k-th neighbour is nearer
    than the next by a factor r with probability r ** -(m k), and for half of
    all vectors the 2k-th neighbour is farther than the k-th by 2 ** (1 / m).
    This gives m, as in Facco et al. 2017, "Estimating the intrinsic dimension
    of datasets by a minimal neighborhood information".

    Args:
        distances: float `[n, k]` of the neighbours of each vector, ascending.
    """
    count, columns = distances.shape
    if columns < 2:
        return _MIN_GAP
    rank = max(1, min(columns // 2, count // 20))  # near: evenly spread
    far = np.maximum(distances[:, [rank - 1, 2 * rank - 1]], _SAME_DISTANCE)
    growth = np.nanmedian(np.log2(far[:, 1] / far[:, 0]))  # 1 / m
    return max(_MIN_GAP, float((count / _CHANCE) ** growth))


def _neighbours(embeddings, settings, index):
    """Returns rows and distances `[n, k]` of each vector's nearest others."""
    rows, distances = [], []
    matches = neighbours_of_all(embeddings, settings.neighbours + 1, index)
    with progress_bar("compare", total=len(embeddings), unit="row") as bar:
        for start, neighbours, cosines in matches:
            is_self = neighbours == start + np.arange(len(neighbours))[:, None]
            other_columns = np.argsort(~is_self, axis=1, kind="stable")[:, 1:]
            neighbours, cosines = (
                np.take_along_axis(array, other_columns, axis=1)
                for array in (neighbours, cosines)
            )
            cosines = np.where(np.isfinite(cosines), cosines, np.nan)
            rows.append(neighbours.astype(np.int32))
            distances.append(np.sqrt(np.maximum(2 - 2 * cosines, 0)))
            bar.update(len(neighbours))
    return np.concatenate(rows), np.concatenate(distances)


def _pairs_by_gap(rows, distances, gap) -> Iterator:
    left = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    equal = distances <= _SAME_DISTANCE
    yield left[equal], rows[equal]
    if rows.shape[1] < 2:
        return
    far = np.nan_to_num(np.maximum(distances, _SAME_DISTANCE), nan=0.0)
    steps = far[:, 1:] / np.maximum(far[:, :-1], _SAME_DISTANCE)
    before_gap = np.arange(rows.shape[1]) <= steps.argmax(axis=1)[:, None]
    before_gap &= steps.max(axis=1, keepdims=True) >= gap
    edges = (
        np.ones(before_gap.sum(), bool),
        (left[before_gap], rows[before_gap]),
    )
    edges = coo_matrix(edges, (len(rows), len(rows))).tocsr()
    mutual = edges.multiply(edges.T).tocoo()
    yield mutual.row, mutual.col


def _pairs_of_all(embeddings, threshold) -> Iterator:
    total = len(embeddings)
    with progress_bar("compare", total=total, unit="row") as bar:
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
    matches = neighbours_of_all(embeddings, settings.neighbours + 1, index)
    for start, rows, cosines in matches:
        left, column = np.nonzero(cosines >= settings.threshold)
        yield left + start, rows[left, column]


def _merged(members, left, right):
    """Returns numbers of components after joining some pairs."""
    if not len(left):
        return members
    edges = (np.ones(len(left), bool), (members[left], members[right]))
    shape = (len(members), len(members))
    _, components = connected_components(
        coo_matrix(edges, shape), directed=False
    )
    return components[members]


def _groups(pairs, count):
    """Returns rows of each component of at least two, largest first."""
    members = np.arange(count)
    for left, right in pairs:
        members = _merged(members, left, right)
    order = np.argsort(members, kind="stable")
    cuts = np.flatnonzero(np.diff(members[order])) + 1
    groups = [rows for rows in np.split(order, cuts) if len(rows) > 1]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def _with_cosines(embeddings, groups):
    result = []
    for start in range(0, len(groups), _GROUPS):
        batch = groups[start : start + _GROUPS]
        first_vectors = embeddings.rows([rows[0] for rows in batch])
        rows = np.concatenate(batch)
        group_of_row = np.repeat(np.arange(len(batch)), list(map(len, batch)))
        cosines = np.empty(len(rows), np.float32)
        for block_start, block in embeddings.blocks():
            in_block = np.flatnonzero(
                (rows >= block_start) & (rows < block_start + len(block))
            )
            for part in np.split(in_block, range(ROWS, len(in_block), ROWS)):
                pair = (
                    block[rows[part] - block_start],
                    first_vectors[group_of_row[part]],
                )
                cosines[part] = np.einsum("nd,nd->n", *pair)
        cuts = np.cumsum(list(map(len, batch)))[:-1]
        result += map(Group, batch, np.split(cosines, cuts))
    return result


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
