"""A folder of images to embeddings, in bounded memory, resumable."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from byol_tf.data.folder import find_files, size_and_time
from byol_tf.data.store import decoded_chunks
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.lines import as_text
from byol_tf.modalities.image.decode import (
    EXTENSIONS,
    MAX_PIXELS,
    ImageError,
    decode_square,
)
from byol_tf.progress import progress_bar
from byol_tf.search import parts
from byol_tf.search.table import OK, Row

# In place of size and time.
_NAMELESS = (-2, -2)  # no text can hold the file's name


@dataclasses.dataclass(frozen=True)
class Embedder:
    """An encoder with all that it takes to use it on files.

    Attributes:
        extract: from uint8 images to representations.
        features: length of a representation.
        image_size: pixels of a side that files are decoded to.
        channels: 1 or 3.
        origin: all that the representations follow from, besides the files,
            as JSON values.
        max_pixels: of a file; larger ones are not decoded.
    """

    extract: FeatureExtractor
    features: int
    image_size: int
    channels: int
    origin: Mapping
    max_pixels: int = MAX_PIXELS

    def decode(self, path: str | os.PathLike) -> np.ndarray:
        """uint8 `[image_size, image_size, channels]`, or an `ImageError`."""
        return decode_square(
            path, self.image_size, self.channels, self.max_pixels
        )


class Embedded(NamedTuple):
    """What was written.

    Attributes:
        path: of the Parquet file.
        images: with a representation.
        unread: `(path, reason)` of those without.
        new: images that this call had to read.
    """

    path: pathlib.Path
    images: int
    unread: list[tuple[str, str]]
    new: int


def embed_folder(
    embedder: Embedder,
    directory: str | os.PathLike,
    target: str | os.PathLike,
    about: Mapping,
    *,
    part_images: int = 4096,
    part_seconds: float = 60.0,
) -> Embedded:
    """Embeds all images of a folder that are not yet in a Parquet file.

    Only paths, sizes and times of all files are in memory at once, and one
    part of the representations. After an interruption, the same call goes on
    behind the last part; with a finished file, it embeds the images that are
    new or have changed (by path, size and time), and drops those that are
    gone.

    Args:
        embedder: the encoder.
        directory: with images in it or below.
        target: the Parquet file, see `table.Row` for its columns; written
            whole or not at all, from parts in `<target>.parts`.
        about: metadata besides `origin` and `folder`.
        part_images: rows of a part, at most.
        part_seconds: after which a part is written, however small.

    Raises:
        ValueError: there is no such folder, no image in it, none that can be
            read, or the file or a part was made with another encoder,
            preprocessing or folder.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise ValueError(f"there is no folder {str(directory)!r}")
    folder = str(directory.resolve())
    about = {**about, "origin": {**embedder.origin, "folder": folder}}
    parts.check_origin(target, about)
    files = _files(directory)
    known = parts.known_files(target)
    new = [path for path in files if known.get(path) != files[path]]
    writer = parts.PartWriter(
        target, embedder.features, about, part_images, part_seconds
    )
    done = len(files) - len(new)
    bar = progress_bar("embed", total=len(files), initial=done, unit="image")
    with bar, writer:
        for row in _rows(embedder, directory, files, new):
            writer.add(row)
            bar.update()
    finished = parts.join(target, files, embedder.features, about)
    return Embedded(pathlib.Path(target), *finished, len(new))


def _files(directory):
    """Size and time of the last change of every image."""
    files = {}
    for path in find_files(directory, EXTENSIONS, "image"):
        text = as_text(path)
        nameless = text != path
        files[text] = _NAMELESS if nameless else size_and_time(directory / path)
    return files


def _rows(embedder, directory, files, new):
    """A row for each of the new images, in their order."""

    def decode(path):
        if files[path] == _NAMELESS:
            raise ImageError("its name is not UTF-8")
        return embedder.decode(directory / path)

    size = embedder.extract.batch_size
    for pairs in decoded_chunks(new, decode, size):
        good = [image for _, image in pairs if not _failed(image)]
        vectors = iter(embedder.extract(np.stack(good)) if good else ())
        for path, image in pairs:
            vector, status = None, str(image)
            if not _failed(image):
                vector, status = next(vectors), OK
                if not np.isfinite(vector).all():
                    vector, status = None, "the representation is not finite"
            yield Row(path, vector, status, *files[path])


def _failed(image):
    return isinstance(image, ImageError)
