"""A map of the embeddings: one HTML file with pictures of the rows in it."""

import base64
import dataclasses
import functools
import importlib.resources
import io
import math
import os
import pathlib
from collections import Counter
from collections.abc import Callable, Sequence

import jinja2
import numpy as np
from absl import logging
from PIL import Image

from byol_tf.checks import check_number
from byol_tf.data.items import Items
from byol_tf.data.label_table import read_label_table
from byol_tf.data.layout import labels_of
from byol_tf.data.recordings.cutting import part_of
from byol_tf.data.recordings.decode import Piece
from byol_tf.data.table_layout import FILE, LABEL_COLUMN
from byol_tf.files import write_text
from byol_tf.lines import printable
from byol_tf.reports.drawing import COLOURS, GRAY
from byol_tf.search.table import Embeddings

MIN_ROWS = 5  # smallest number of rows for a map
_QUALITY = 80  # quality of the JPEG of thumbnails


@dataclasses.dataclass(frozen=True)
class MapSettings:
    """What is drawn.

    Attributes:
        images: largest number of rows drawn, evenly spaced in the embeddings.
        thumbnail: side of a thumbnail in pixels.
        components: principal components that t-SNE starts from.
        perplexity: of t-SNE, about the number of neighbours that matter.
        seed: of t-SNE.
    """

    images: int
    thumbnail: int
    components: int
    perplexity: float
    seed: int

    def __post_init__(self):
        check_number("map.images", self.images, MIN_ROWS)
        check_number("map.thumbnail", self.thumbnail, 8, 256)
        check_number("map.components", self.components, 2)
        check_number("map.perplexity", self.perplexity, 1)
        check_number("map.seed", self.seed, 0)


def chosen_rows(total: int, limit: int) -> np.ndarray:
    """Returns numbers of at most `limit` of `total` rows, evenly spaced."""
    return np.linspace(0, total - 1, min(limit, total)).round().astype(int)


def plane(vectors: np.ndarray, settings: MapSettings) -> np.ndarray:
    """Computes places on a map, by principal components and t-SNE.

    Args:
        vectors: float32 `[n, features]` of length 1.
        settings: settings of the map.

    Returns:
        float64 `[n, 2]` in [0, 1], both axes on the same scale.

    Raises:
        ValueError: if there are fewer than five vectors, or all are equal.
    """
    if len(vectors) < MIN_ROWS:
        raise ValueError(
            f"a map needs at least {MIN_ROWS} rows. Received: {len(vectors)}"
        )
    # Imported here since it takes a second.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    centred = vectors - vectors.mean(axis=0)
    if np.abs(centred).max() < 1e-6:
        raise ValueError(
            "all representations are the same: there is no map to draw. Has "
            "the encoder collapsed?"
        )
    components = min(settings.components, *centred.shape)
    pca = PCA(components, random_state=settings.seed)
    tsne = TSNE(
        perplexity=min(settings.perplexity, (len(vectors) - 1) / 3),
        init="pca",
        random_state=settings.seed,
    )
    # One thread, since t-SNE's many short parallel loops wait for each other.
    with threadpool_limits(1):
        places = tsne.fit_transform(pca.fit_transform(centred))
    places = places.astype(np.float64) - places.min(axis=0)
    return places / max(places.max(), 1e-12)


def write_map(
    embeddings: Embeddings,
    items: Items,
    target: str | os.PathLike,
    settings: MapSettings,
    thumbnail: Callable,
    progress: Callable | None = None,
    audible: bool = False,
    nouns: str = "files",
) -> int:
    """Draws embedded rows on a map, coloured by their labels.

    Labels are the column `label` of a `labels.csv` in the folder, as in
    training, or else the sub-folders. Thumbnails, data and script are in the
    file.

    Args:
        embeddings: embeddings of the rows.
        items: the present files. Deleted ones are drawn without a thumbnail.
        target: the HTML file.
        settings: settings of the map.
        thumbnail: `thumbnail(file, side)` returns a picture of a file, uint8
            `[height, width, 3]` of at most `side` pixels, or None.
        progress: None, or a wrapper of an iterable of files.
        audible: whether files are sounds, to be played from where they are.
        nouns: word for the rows.

    Returns:
        Number of rows drawn.

    Raises:
        ValueError: as `plane`.
    """
    rows = chosen_rows(len(embeddings), settings.images)
    places = plane(embeddings.rows(rows), settings)
    paths = [embeddings.path_of(row) for row in rows]
    files = [items.read(path) for path in paths]
    data = {
        "places": places.round(4).tolist(),
        "paths": [printable(items.caption(path)) for path in paths],
        "sounds": _addresses(files) if audible else [],
        **_classes(paths, items.folder),
        **_sprite(
            progress(files) if progress else files,
            functools.partial(thumbnail, side=settings.thumbnail),
            settings.thumbnail,
        ),
    }
    folder = printable(items.folder.resolve().name)
    title = f"{len(rows):,} {nouns} of {folder}"
    total = f" of {len(embeddings):,}" if len(rows) < len(embeddings) else ""
    note = (
        f"{len(rows):,}{total} embedded {nouns}, t-SNE of their representations"
    )
    write_text(target, _render(title=title, note=note, data=data))
    return len(rows)


def _addresses(files) -> list[str]:
    """Returns URLs of files for a browser on this machine, "" for others."""
    return [
        pathlib.Path(file).resolve().as_uri() + _seconds(file)
        if isinstance(file, str | os.PathLike)
        else ""
        for file in files
    ]


def _seconds(file):
    """Returns the part of a file to play."""
    if not isinstance(file, Piece):
        return ""
    return f"#t={file.start:g},{file.start + file.seconds:g}"


def _render(**values):
    source = importlib.resources.files("byol_tf.search") / "map.html"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = environment.from_string(source.read_text(encoding="utf-8"))
    return template.render(**values)


def _classes(paths: Sequence[str], folder: pathlib.Path) -> dict:
    """Returns labels by table or sub-folder, and name, colour and count."""
    rest_name = "without a label"
    labels, names = _labels_of_table(paths, folder / FILE)
    if not names:
        rest_name = "beside the folders"
        labels, names = labels_of(paths)
    if not names:
        return {"labels": [0] * len(paths), "classes": []}
    if -1 in labels:
        labels = [len(names) if label < 0 else label for label in labels]
        names = (*names, rest_name)
    counts = Counter(labels)
    classes = [
        {"name": name, "colour": _colour(label), "count": counts[label]}
        for label, name in enumerate(names)
    ]
    return {"labels": labels, "classes": classes}


def _labels_of_table(paths, file):
    """Returns the label of each path, -1 for none, and their names."""
    try:
        table = read_label_table(file) if file.is_file() else None
    except ValueError as error:
        logging.warning("The map is not coloured by labels: %s", error)
        table = None
    if table is None or LABEL_COLUMN not in table.columns:
        return [], ()
    files = [part_of(path)[0] for path in paths]
    cells = (*table.columns[LABEL_COLUMN], "")  # the last one is for row -1
    path_labels = [cells[row] for row in table.rows_of(files)]
    names = tuple(sorted(set(path_labels) - {""}))
    number = {name: place for place, name in enumerate(names)}
    return [number.get(cell, -1) for cell in path_labels], names


def _colour(label):
    if label < len(COLOURS):
        return COLOURS[label]
    # The golden angle gives distinct hues for any number of labels.
    hue = (label * 137.508) % 360
    return f"hsl({hue:.0f} 55% {38 + 12 * (label % 3)}%)"


def _sprite(files, thumbnail, side) -> dict:
    """Returns all thumbnails in one JPEG, row by row, as a data URI."""
    tiles = []
    for file in files:
        pixels = thumbnail(file)
        tile = Image.new("RGB", (side, side), "#e8e8e8")
        if pixels is not None:
            # Small images are enlarged without blur.
            tile = Image.fromarray(pixels).resize((side, side), Image.NEAREST)
        tiles.append(tile)
    columns = math.ceil(math.sqrt(len(tiles)))
    height = math.ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (columns * side, height * side), GRAY)
    for number, tile in enumerate(tiles):
        place = (number % columns * side, number // columns * side)
        sheet.paste(tile, place)
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {
        "sprite": f"data:image/jpeg;base64,{encoded}",
        "columns": columns,
        "side": side,
    }
