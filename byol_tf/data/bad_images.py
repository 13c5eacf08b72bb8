"""Lists unreadable rows in a file, and limits their number."""

import os
import pathlib

from byol_tf.checks import check_number
from byol_tf.data.examples import Examples
from byol_tf.files import write_csv, write_rows
from byol_tf.lines import plural

HEADER = ("path", "reason")


class BadImages:
    """Lists the unreadable rows of all splits of a dataset.

    Args:
        path: path of a CSV file with the columns `HEADER`, removed if there are
            no rows to list; None: no file.
        max_bad_share: largest share of unreadable images of a split, in [0, 1].
    """

    def __init__(
        self, path: str | os.PathLike | None = None, max_bad_share: float = 1.0
    ):
        self._path = pathlib.Path(path) if path else None
        self._max_share = check_number("max_bad_share", max_bad_share, 0.0, 1.0)
        self._rows = []

    def add(self, examples: Examples) -> None:
        """Lists skipped rows of a split, and those that its batches will skip.

        Raises:
            ValueError: if no row can be read, or too few.
        """
        skipped, folder = examples.skipped, examples.folder
        self._rows += [(os.path.join(folder, p), why) for p, why in skipped]
        if self._path:
            self._write()
        count = len(skipped) + examples.num_examples
        noun = next(iter(examples.spec))
        where = f"{count} {plural(noun)} in {folder or examples.name!r}"
        if not examples.num_examples:
            path, reason = skipped[0]
            raise ValueError(
                f"none of the {where} can be read; the first, {path}: {reason}"
            )
        self._check(len(skipped), count, where)
        if examples.encoded:
            unreadable = examples.rows.unreadable

            def report(item, reason):
                self._rows.append((str(item), reason))
                if self._path:
                    self._append()
                self._check(len(unreadable), count, where)

            examples.rows.listen = report

    def _check(self, num_bad, count, where):
        if num_bad > self._max_share * count:
            raise ValueError(
                f"{num_bad} of the {where} cannot be read, more than "
                f"data.max_bad_share={self._max_share:g} allows: "
                + (f"{self._path} lists them; " if self._path else "")
                + "repair or remove them, or raise --config.data.max_bad_share"
            )

    def _append(self):
        """Adds the last row; writing all for each would take minutes."""
        if len(self._rows) == 1:
            self._write()
            return
        with open(self._path, "a", encoding="utf-8", newline="") as file:
            write_rows(file, self._rows[-1:])

    def _write(self):
        if not self._rows:
            self._path.unlink(missing_ok=True)
            return
        write_csv(self._path, [HEADER, *self._rows])
