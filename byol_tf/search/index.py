"""The nearest representations: exact, or by an approximate index on disk."""

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
        exact_below: images up to which every representation is compared.
        connectivity: edges of an image in the graph.
        expansion_add: candidates while the graph is built.
        expansion_search: candidates of a search, at least.

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
    """The images whose representations are most similar to some vectors.

    Args:
        embeddings: to search in; read in blocks.
        queries: float `[n, features]`, finite.
        k: images for each query, at most.
        settings: when and how to search approximately.

    Returns:
        int64 `[n, k]`, rows of the embeddings, the nearest first, and
        float32 `[n, k]`, their cosines to the query.

    Raises:
        ValueError: the shapes do not fit, or `k` is less than 1.
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
    found = np.isfinite(cosines).all(axis=0)
    return rows[:, found], cosines[:, found]


def _exact(embeddings, queries, k):
    search = require("usearch.index", "search")
    rows = np.empty((len(queries), 0), np.int64)
    cosines = np.empty((len(queries), 0), np.float32)
    for start, block in embeddings.blocks():
        options = min(k, len(block)), search.MetricKind.IP
        found = search.search(block, queries, *options, exact=True)
        more, near = _arrays(found, len(queries))
        rows = np.concatenate([rows, more + start], axis=1)
        cosines = np.concatenate([cosines, near], axis=1)
        best = np.lexsort((rows, -cosines), axis=1)[:, :k]
        rows = np.take_along_axis(rows, best, axis=1)
        cosines = np.take_along_axis(cosines, best, axis=1)
    return rows, cosines


def _matches(index, queries, k):
    """Found by an index, with a cosine of -inf where it found fewer than k."""
    found = index.search(queries, k)
    rows, cosines = _arrays(found, len(queries))
    counts = np.reshape(getattr(found, "counts", len(found)), (-1, 1))
    none = np.arange(rows.shape[1]) >= counts
    return np.where(none, 0, rows), np.where(none, -np.inf, cosines)


def _arrays(found, count):
    """Rows and cosines `[count, k]`; one query alone comes without an axis."""
    rows = np.asarray(found.keys).reshape(count, -1).astype(np.int64)
    return rows, 1 - np.asarray(found.distances).reshape(count, -1)


def neighbours_of_all(
    embeddings: Embeddings, k: int, settings: IndexSettings
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The `k` nearest images of every image, itself among them.

    Yields:
        The first row of a block, then rows and cosines as of `nearest`; where
        an approximate index found fewer, row 0 with a cosine of -inf.
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
    """The graph of the embeddings, from its file if there is one.

    The file lies beside the embeddings and has the digest of their content
    in its name; a stale one is removed when another is written.
    """
    search = require("usearch.index", "search")
    path = index_path(embeddings.path, settings)
    if not path.is_file():
        name = glob.escape(embeddings.path.name)
        for stale in path.parent.glob(f"{name}.*.usearch"):
            stale.unlink()
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
    """The file of the graph of some embeddings, whether there or not."""
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
    with progress_bar("index", total=len(embeddings), unit="image") as bar:
        for start, block in embeddings.blocks():
            index.add(np.arange(start, start + len(block)), block)
            bar.update(len(block))
    return index
