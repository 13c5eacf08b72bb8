"""Embeds a folder in bounded memory, resumably."""

import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from byol_tf.data.examples import Unreadable
from byol_tf.data.items import find_items
from byol_tf.data.store import decoded_chunks
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.lines import as_text, plural, printable, progress_bar
from byol_tf.runs.encoder import Encoder
from byol_tf.search import parts
from byol_tf.search.table import OK, Row

# In place of size and time.
_NAMELESS = (-2, -2)  # the file's name is not valid text


class EmbeddingResult(NamedTuple):
    """The result of an embedding.

    Attributes:
        path: path of the Parquet file.
        images: number of rows with a representation.
        unread: `(path, reason)` of those without.
        new: number of rows that this call had to read.
        nouns: word for the rows, such as "images".
    """

    path: pathlib.Path
    images: int
    unread: list[tuple[str, str]]
    new: int
    nouns: str = "images"


def embed_folder(
    encoder: Encoder,
    directory: str | os.PathLike,
    target: str | os.PathLike,
    about: Mapping,
    *,
    extract: FeatureExtractor | None = None,
    batch_size: int = 256,
    part_images: int = 4096,
    part_seconds: float = 60.0,
) -> EmbeddingResult:
    """Embeds all rows of a folder that are not yet in a Parquet file.

    Memory holds paths, sizes and times of all files, and one part of the
    representations. Calling it again continues after the last part. With a
    finished file, it embeds rows that are new or have changed (by path, size
    and time), and drops deleted ones.

    Args:
        encoder: decodes and prepares the files.
        directory: folder with files at any depth, or a CSV or `.npz` file, see
            `find_items`.
        target: the Parquet file, see `table.Row` for its columns; written
            atomically from parts in `<target>.parts`.
        about: metadata besides `origin` and `folder`.
        extract: from stored rows to representations; None: the encoder's own,
            with `batch_size` rows at once.
        batch_size: rows at once.
        part_images: largest number of rows of a part.
        part_seconds: seconds after which a part is written, however small.

    Raises:
        ValueError: if there is no such folder, no row in it, none that can be
            read, or if the file or a part was made with another encoder,
            preprocessing or folder.
    """
    column = encoder.sizes.get("column")
    items = find_items(
        directory,
        encoder.modality.extensions,
        encoder.noun,
        column,
        encoder.cut,
    )
    extract = extract or FeatureExtractor(
        encoder.model, encoder.preprocessor, batch_size
    )
    folder = str(items.folder.resolve())
    origin = {**encoder.origin_of_vectors, "folder": folder}
    about = {**about, "origin": origin}
    if column is not None:
        about["column"] = column
    parts.check_origin(target, about)
    files = _files(items)
    embedded_files = parts.known_files(target)
    new_paths = [
        path for path in files if embedded_files.get(path) != files[path]
    ]
    writer = parts.PartWriter(
        target, encoder.features, about, part_images, part_seconds
    )
    num_done = len(files) - len(new_paths)
    bar = progress_bar(
        "embed", total=len(files), initial=num_done, unit=encoder.noun
    )
    with bar, writer:
        for row in _rows(encoder, extract, items, files, new_paths):
            writer.add(row)
            bar.update()
    images, unread = parts.join(target, files, encoder.features, about)
    unread = [(printable(path), reason) for path, reason in unread]
    nouns = plural(encoder.noun)
    return EmbeddingResult(
        pathlib.Path(target), images, unread, len(new_paths), nouns
    )


def _files(items):
    """Returns size and time of the last change of every row."""
    files = {}
    for path in items.names:
        text = as_text(path)
        nameless = text != path
        files[text] = _NAMELESS if nameless else items.stat(path)
    return files


def _rows(encoder, extract, items, files, new_paths):
    """Yields a row per new item, in order."""

    def decode(path):
        if files[path] == _NAMELESS:
            raise Unreadable("its name is not UTF-8")
        return encoder.decode(items.read(path))

    for pairs in decoded_chunks(new_paths, decode, extract.batch_size):
        images = [image for _, image in pairs if not _is_unreadable(image)]
        vectors = iter(extract(encoder.batch(images)) if images else ())
        for path, image in pairs:
            vector, status = None, str(image)
            if not _is_unreadable(image):
                vector, status = next(vectors), OK
                if not np.isfinite(vector).all():
                    vector, status = None, "the representation is not finite"
            yield Row(path, vector, status, *files[path])


def _is_unreadable(image):
    return isinstance(image, Unreadable)
