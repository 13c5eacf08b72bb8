"""Embeds folders and searches embeddings, by configurations."""

import functools
import os
import pathlib
from collections.abc import Sequence

from byol_tf.checks import check_number
from byol_tf.data.examples import Unreadable
from byol_tf.data.items import items_of
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.jobs.embed.run import EmbeddingResult, embed_folder
from byol_tf.lines import plural, printable, progress_bar
from byol_tf.modalities.registry import load_named
from byol_tf.reports.sheet import SIDE, Picture, contact_sheet
from byol_tf.runs import encoder as encoders
from byol_tf.runs.encoder import load_encoder
from byol_tf.runtime import describe_machine
from byol_tf.search.duplicates import (
    DuplicateSettings,
    duplicate_groups,
    write_groups,
)
from byol_tf.search.index import IndexSettings, nearest
from byol_tf.search.map import MapSettings, write_map
from byol_tf.search.table import Embeddings


def embed(config, workdir, images, target) -> EmbeddingResult:
    """Embeds a folder with a run's encoder into a file, see `embed_folder`.

    Args:
        config: configuration of the embedding, see `configs/embed.py`.
        workdir: the run folder.
        images: the folder, or a CSV or `.npz` file.
        target: the Parquet file.

    Raises:
        ValueError: if there is no encoder or nothing to embed, inputs do not
            match, or the file was made differently. One line.
    """
    check_number("part.images", config.part.images, 1)
    check_number("part.seconds", config.part.seconds, 0)
    encoder = load_encoder(
        workdir,
        size=config.size,
        image_size=config.image_size,
        crop_fraction=config.crop_fraction,
        modality=config.modality,
    )
    return embed_folder(
        encoder.resized(column=config.data.text_column),
        images,
        target,
        {
            "workdir": str(pathlib.Path(workdir).resolve()),
            "modality": encoder.about["modality"],
            "versions": describe_machine()["versions"],
        },
        batch_size=config.encode_batch,
        part_images=config.part.images,
        part_seconds=config.part.seconds,
    )


class Search:
    """Searches embeddings by a configuration.

    Args:
        config: see `configs/embed.py`.
        path: path of the Parquet file; pictures are written beside it.
        folder: present folder of the files; None: unchanged.

    Raises:
        ValueError: if there are no embeddings, or a setting is wrong.
    """

    def __init__(self, config, path, folder=None):
        self._config = config
        self._index = IndexSettings(**config.index)
        self._duplicates = DuplicateSettings(**config.duplicates)
        self._map = MapSettings(**config.map)
        check_number("neighbours", config.neighbours, 1)
        check_number("sheet.groups", config.sheet.groups, 1)
        check_number("sheet.images", config.sheet.images, 2)
        self.embeddings = Embeddings(path)
        about = self.embeddings.about
        folder = folder or about["origin"]["folder"]
        # Earlier releases only had images.
        name = about.get("modality", "image")
        self._modality = load_named(name, config.modality)
        self._items = items_of(folder, self._modality.name, about.get("column"))

    @property
    def nouns(self) -> str:
        """Word for the rows, such as "images"."""
        return plural(self._modality.name)

    def query(
        self, queries: Sequence[str], workdir: str | os.PathLike | None = None
    ) -> tuple[list[tuple[str, list[tuple[str, float]]]], pathlib.Path]:
        """Finds the nearest rows of queries, and draws `query.png`.

        Args:
            queries: files, or texts; an embedded file does not find itself.
            workdir: folder of the run that embedded; None: as recorded.

        Returns:
            Each query with its `(path, cosine)` results, nearest first, and the
            path of the picture.

        Raises:
            ValueError: if a query cannot be read, or the encoder is another
                one.
        """
        encoder = self._same_encoder(workdir)
        # One by one, since a batch is filled up by repeating its last row.
        extract = FeatureExtractor(encoder.model, encoder.preprocessor, 1)
        images = [_decoded(encoder, query) for query in queries]
        vectors = [extract(encoder.batch([image]))[0] for image in images]
        count = self._config.neighbours
        rows, cosines = nearest(
            self.embeddings, vectors, count + 1, self._index
        )
        results = []
        for query, neighbours, values in zip(
            queries, rows, cosines, strict=True
        ):
            names = [self.embeddings.path_of(row) for row in neighbours]
            pairs = zip(names, map(float, values), strict=True)
            pairs = [p for p in pairs if not self._is_same_file(p[0], query)]
            results.append((query, pairs[:count]))
        target = self.embeddings.path.with_name("query.png")
        sheet = [
            [self._picture(q, pathlib.Path(q).name, ""), *self._pictures(pairs)]
            for q, pairs in results
        ]
        contact_sheet(
            sheet,
            target,
            title=f"Nearest {self.nouns}, by cosine",
            headings=["query"] * len(sheet),
        )
        printable_results = [
            (
                query,
                [(self._display_name(path), cosine) for path, cosine in pairs],
            )
            for query, pairs in results
        ]
        return printable_results, target

    def duplicates(self) -> tuple[int, int, str, list[pathlib.Path]]:
        """Writes `duplicates.csv`, and draws the largest groups.

        Each group is drawn with the next row outside of it.

        Returns:
            Number of groups, number of rows in them, the rule, and the files.
        """
        groups, rule = duplicate_groups(
            self.embeddings, self._duplicates, self._index
        )
        files = [self.embeddings.path.with_name("duplicates.csv")]
        write_groups(self.embeddings, groups, files[0])
        if groups:
            files.append(files[0].with_suffix(".png"))
            self._draw_groups(groups, rule, files[1])
        count = sum(len(group.rows) for group in groups)
        return len(groups), count, rule, files

    def map(self, target: str | os.PathLike) -> int:
        """Draws a map, see `write_map`; returns the number of rows on it."""
        thumbnail, unit = self._modality.thumbnail, self._modality.name
        bar = functools.partial(progress_bar, "thumbnails", unit=unit)
        return write_map(
            *(self.embeddings, self._items, target, self._map, thumbnail, bar),
            audible=hasattr(self._modality, "player"),
            nouns=self.nouns,
        )

    def _same_encoder(self, workdir):
        about = self.embeddings.about
        workdir, origin = workdir or about["workdir"], about["origin"]
        modality = self._config.modality
        encoder = load_encoder(workdir, modality=modality)
        if encoder.about["sha256"] != origin["encoder"]:
            raise ValueError(
                f"{self.embeddings.path} was made with another encoder than "
                f"{workdir}/{encoders.FILE}; embed the files anew, or name "
                "the right --workdir"
            )
        return load_encoder(
            workdir,
            size=origin["size"] or 0,
            image_size=origin["image_size"] or 0,
            crop_fraction=origin["crop_fraction"],
            modality=modality,
        )

    def _display_name(self, path):
        return printable(self._items.caption(path))

    def _is_same_file(self, path, query):
        file = self._items.read(path)
        return (
            isinstance(file, os.PathLike)
            and os.path.exists(file)
            and os.path.exists(query)  # else it is a text
            and os.path.samefile(file, query)
        )

    def _pictures(self, pairs):
        return [
            self._picture(self._items.read(path), path, f"{cosine:.3f}")
            for path, cosine in pairs
        ]

    def _picture(self, file, name, note):
        return Picture(self._modality.thumbnail(file, SIDE), name, note)

    def _draw_groups(self, groups, rule, target):
        section = self._config.sheet
        largest = groups[: section.groups]
        sheet = []
        for group in largest:
            names = map(self.embeddings.path_of, group.rows[: section.images])
            pairs = zip(names, group.cosines, strict=False)
            sheet.append([*self._pictures(pairs), *self._next_to(group)])
        contact_sheet(
            sheet,
            target,
            title=f"Near-duplicates, {rule}",
            headings=[f"{len(group.rows)} {self.nouns}" for group in largest],
        )

    def _next_to(self, group):
        """Returns the nearest row outside a group to its first one."""
        vector = self.embeddings.rows(group.rows[:1])
        rows, cosines = nearest(
            self.embeddings, vector, len(group.rows) + 1, self._index
        )
        for row, cosine in zip(rows[0], cosines[0], strict=True):
            if row not in group.rows:
                path = self.embeddings.path_of(row)
                note = f"next: {cosine:.3f}"
                return [self._picture(self._items.read(path), path, note)]
        return []


def _decoded(encoder, query):
    try:
        return encoder.decode(query)
    except Unreadable as error:
        raise ValueError(f"--query={query}: {error}") from error
