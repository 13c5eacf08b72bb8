"""Groups, such as speakers: train on some of them, test on the others."""

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.label_table import read_label_table
from byol_tf.lines import some

MOST_FOLDS = 10
_SHARE = 0.2  # share of the groups held out if none is named
_HINT = "--groups=COLUMN, a column of labels.csv, or COLUMN:NAME,NAME"


class Groups(NamedTuple):
    """A column of the table of labels, and the groups to hold out.

    Attributes:
        column: name of the column, such as "speaker".
        names: names of the groups; (): chosen by `folds` or `a_fifth`.
    """

    column: str
    names: tuple[str, ...] = ()

    def folds(self, train: Examples) -> list[tuple[str, ...]]:
        """Returns the groups to hold out in turn.

        Named groups are held out together, others one by one. Of more than
        `MOST_FOLDS` groups, several are held out at a time.
        """
        if self.names:
            return [self.names]
        names = self._all_names(train)
        count = min(len(names), MOST_FOLDS)
        return [tuple(names[i::count]) for i in range(count)]

    def a_fifth(self, train: Examples, seed: int) -> tuple[str, ...]:
        """Returns the groups to hold out once, drawn by the seed if unnamed."""
        if self.names:
            return self.names
        names = self._all_names(train)
        shuffled = np.random.default_rng((seed, 5)).permutation(names)
        return tuple(sorted(shuffled[: max(1, round(_SHARE * len(names)))]))

    def split(
        self,
        train: Examples,
        load_test: Callable[[], Examples],
        held_out: Sequence[str],
    ) -> tuple[Examples, Callable[[], Examples]]:
        """Returns training rows of the other groups, and test rows of these.

        If no test row is of these groups, their training rows are the test,
        since they are not trained on.

        Raises:
            ValueError: if no training rows are left, or there is no such column
                or group.
        """
        mask = np.isin(self._cells(train), list(held_out))
        # Some groups may have test rows alone.
        all_groups = set(self._table(train).columns[self.column])
        if not all_groups.issuperset(held_out) or mask.all():
            raise ValueError(
                f"--groups={self.column}:{','.join(held_out)} must name some "
                f"of {some(sorted(all_groups - {''}), 20)}, not all"
            )
        others = train.subset(np.flatnonzero(~mask))

        def test():
            examples = load_test()
            test_mask = np.isin(self._cells(examples), list(held_out))
            if test_mask.any():
                return examples.subset(np.flatnonzero(test_mask))
            print(
                f"No test row is of {self.column} {some(list(held_out))}: "
                "tests on their training rows, and does not train on them."
            )
            return train.subset(np.flatnonzero(mask))

        return others, test

    def _all_names(self, train):
        names = sorted(set(self._cells(train)) - {""})
        if len(names) < 2:
            raise ValueError(
                f"--groups={self.column} needs two groups or more in "
                f"{train.name}. Received: {some(names) or 'none'}"
            )
        return names

    def _cells(self, examples):
        """Returns the group of each row; "" for none."""
        table = self._table(examples)
        rows = table.rows_of(examples.paths)
        cells = table.columns[self.column]
        return [cells[row] if row >= 0 else "" for row in rows]

    def _table(self, examples):
        table = (examples.taken or {}).get("table")
        if table is None:
            raise ValueError(
                f"groups are named by a labels.csv in the folder of "
                f"{examples.name}, which has none; {_HINT}"
            )
        table = read_label_table(pathlib.Path(examples.folder) / table)
        if self.column not in table.columns:
            raise ValueError(
                f"{table.name} has no column {self.column!r}, but "
                f"{some(sorted(table.columns), 9)}; {_HINT}"
            )
        return table


def parse_groups(text: str | None) -> Groups | None:
    """Parses a flag: "speaker", or "speaker:s5,s6"; None for None."""
    if not text:
        return None
    column, _, names = text.partition(":")
    names = tuple(filter(None, (name.strip() for name in names.split(","))))
    if not column.strip():
        raise ValueError(f"{_HINT}. Received: --groups={text}")
    return Groups(column.strip(), names)
