"""Word and character error rates of transcripts."""

from collections.abc import Sequence

import numpy as np


def edit_distance(reference: Sequence, hypothesis: Sequence) -> int:
    """Counts the fewest changes from one sequence to another.

    A change replaces, removes or inserts one item (Levenshtein).

    Args:
        reference, hypothesis: of hashable items: words, or a text.
    """
    codes = {}
    first, second = (
        np.array([codes.setdefault(item, len(codes)) for item in items], int)
        for items in (reference, hypothesis)
    )
    places = np.arange(len(second) + 1)
    row = places
    for number, item in enumerate(first, 1):
        replaced = row[:-1] + (second != item)
        best = np.append(number, np.minimum(replaced, row[1:] + 1))
        # An insertion costs one a place: a running minimum without them.
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])


class ErrorRates:
    """Counts the errors of transcripts that come one by one.

    Attributes:
        lines: of each transcript `reference`, `hypothesis`, and how many
            `word_errors` and `character_errors` it has.
    """

    def __init__(self):
        self.lines: list[dict] = []
        self._words = self._characters = 0

    def add(self, reference: str, hypothesis: str) -> None:
        """Compares two texts with single spaces between words."""
        words = reference.split(), hypothesis.split()
        self._words += len(words[0])
        self._characters += len(reference)
        self.lines.append(
            {
                "reference": reference,
                "hypothesis": hypothesis,
                "word_errors": edit_distance(*words),
                "character_errors": edit_distance(reference, hypothesis),
            }
        )

    def rates(self) -> tuple[float, float]:
        """Word and character errors, by those of the references.

        All transcripts count together, as in jiwer. References that are all
        empty count as one word and one character.

        Raises:
            ValueError: there are no transcripts.
        """
        if not self.lines:
            raise ValueError("error rates need transcripts, and there are none")
        words, characters = (
            sum(line[key] for line in self.lines)
            for key in ("word_errors", "character_errors")
        )
        return words / max(self._words, 1), characters / max(
            self._characters, 1
        )

    def worst(self, count: int) -> list[tuple[int, dict]]:
        """Position and line of transcripts with errors, the worst first.

        By the share of wrong characters, then by their number.
        """

        def badness(position):
            line = self.lines[position]
            wrong = line["character_errors"]
            return -wrong / max(len(line["reference"]), 1), -wrong

        order = sorted(range(len(self.lines)), key=badness)
        found = [(i, self.lines[i]) for i in order[:count]]
        return [pair for pair in found if pair[1]["character_errors"]]
