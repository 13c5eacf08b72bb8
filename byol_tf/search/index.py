"""Nearest representations, exactly or by an approximate index on disk."""

import dataclasses
import glob
import hashlib
import pathlib
from collections.abc import Iterator

import numpy as np

from byol_tf.checks import check_number, require
from byol_tf.evaluation.vectors import unit_rows
from byol_tf.files import loading, sha256, whole_file
from byol_tf.lines import progress_bar
from byol_tf.search.table import Embeddings


@dataclasses.dataclass(frozen=True)
class IndexSettings:
    """When and how to search approximately.

    Attributes:
        exact_below: up to this many images the search is exact.
        connectivity: edges per image in the graph.
        expansion_add: candidates while building the graph.
        expansion_search: smallest number of candidates of a search.

    Reference: Malkov and Yashunin 2016, "Efficient and robust approximate
    nearest neighbor search using Hierarchical Navigable Small World graphs".
    """

    exact_below: int
    connectivity: int
    expansion_add: int
    expansion_search: int

    def __post_init__(self):
        check_number("index.exact_below", self.exact_below, 0)
        check_number("index.connectivity", self.connectivity, 2)
        check_number("index.expansion_add", self.expansion_add, 1)
        check_number("index.expansion_search", self.expansion_search, 1)


def nearest(
    embeddings: Embeddings,
    queries: np.ndarray,
    k: int,
    settings: IndexSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the images whose representations are most similar to vectors.

    Args:
        embeddings: embeddings to search; read in blocks.
        queries: float `[n, features]`, finite.
        k: largest number of images per query.
        settings: when and how to search approximately.

    Returns:
        int64 `[n, k]`, rows of the embeddings, nearest first, and float32 `[n,
        k]`, their cosines to the query.

    Raises:
        ValueError: if shapes are invalid, or `k` is less than 1.
    """
    queries = np.asarray(queries, np.float32)
    if queries.ndim != 2 or queries.shape[1] != embeddings.features:
        raise ValueError(
            f"`queries` must be [n, {embeddings.features}]. "
            f"Received: queries.shape={queries.shape}"
        )
    k = min(int(check_number("k", k, 1)), len(embeddings))
    queries = unit_rows(queries)
    if len(embeddings) <= settings.exact_below:
        return _exact(embeddings, queries, k)
    rows, cosines = _matches(load_index(embeddings, settings), queries, k)
    complete = np.isfinite(cosines).all(axis=0)
    return rows[:, complete], cosines[:, complete]


def _exact(embeddings, queries, k):
    search = require("usearch.index", "search")
    rows = np.empty((len(queries), 0), np.int64)
    cosines = np.empty((len(queries), 0), np.float32)
    for start, block in embeddings.blocks():
        options = min(k, len(block)), search.MetricKind.IP
        matches = search.search(block, queries, *options, exact=True)
        block_rows, block_cosines = _arrays(matches, len(queries))
        rows = np.concatenate([rows, block_rows + start], axis=1)
        cosines = np.concatenate([cosines, block_cosines], axis=1)
        best = np.lexsort((rows, -cosines), axis=1)[:, :k]
        rows = np.take_along_axis(rows, best, axis=1)
        cosines = np.take_along_axis(cosines, best, axis=1)
    return rows, cosines


def _matches(index, queries, k):
    """Returns matches of an index; cosine -inf if it found fewer than k."""
    matches = index.search(queries, k)
    rows, cosines = _arrays(matches, len(queries))
    counts = np.reshape(getattr(matches, "counts", len(matches)), (-1, 1))
    missing = np.arange(rows.shape[1]) >= counts
    return np.where(missing, 0, rows), np.where(missing, -np.inf, cosines)


def _arrays(matches, count):
    """Returns rows and cosines `[count, k]`, also for a single query."""
    rows = np.asarray(matches.keys).reshape(count, -1).astype(np.int64)
    return rows, 1 - np.asarray(matches.distances).reshape(count, -1)


def neighbours_of_all(
    embeddings: Embeddings, k: int, settings: IndexSettings
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Finds the `k` nearest images of every image, including itself.

    Yields:
        The first row of a block, then rows and cosines as in `nearest`; if an
        approximate index found fewer, row 0 with a cosine of -inf.
    """
    exact = len(embeddings) <= settings.exact_below
    index = None if exact else load_index(embeddings, settings)
    k = min(k, len(embeddings))
    for start, block in embeddings.blocks():
        if exact:
            yield start, *_exact(embeddings, block, k)
        else:
            yield start, *_matches(index, block, k)


def load_index(embeddings: Embeddings, settings: IndexSettings):
    """Loads the graph of the embeddings from its file, or builds it.

    The file is beside the embeddings and has a checksum of their content in its
    name. A stale file is removed when a new one is written.
    """
    search = require("usearch.index", "search")
    path = index_path(embeddings.path, settings)
    if not path.is_file():
        name = glob.escape(embeddings.path.name)
        for stale in path.parent.glob(f"{name}.*.usearch"):
            stale.unlink(missing_ok=True)  # another search may be faster
        index = _build(embeddings, settings, search)
        with whole_file(path) as temporary:
            index.save(str(temporary))
    with loading(path):
        index = search.Index.restore(path, view=True)
        if index is None or len(index) != len(embeddings):
            raise ValueError("it is damaged; remove it")
    index.expansion_search = settings.expansion_search
    return index


def index_path(path: pathlib.Path, settings: IndexSettings) -> pathlib.Path:
    """Returns the file of the graph, which may not exist."""
    key = f"{sha256(path)} {settings.connectivity, settings.expansion_add}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return path.with_name(f"{path.name}.{digest}.usearch")


def _build(embeddings, settings, search):
    index = search.Index(
        ndim=embeddings.features,
        metric=search.MetricKind.IP,
        dtype="f32",
        connectivity=settings.connectivity,
        expansion_add=settings.expansion_add,
    )
    with progress_bar("index", total=len(embeddings), unit="row") as bar:
        for start, block in embeddings.blocks():
            index.add(np.arange(start, start + len(block)), block)
            bar.update(len(block))
    return index
