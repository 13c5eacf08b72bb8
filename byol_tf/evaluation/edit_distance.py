"""Word and character error rates of transcripts."""

from collections.abc import Sequence

import numpy as np


def edit_distance(reference: Sequence, hypothesis: Sequence) -> int:
    """Counts the fewest edits from one sequence to another (Levenshtein).

    An edit replaces, removes or inserts one item.

    Args:
        reference, hypothesis: sequences of hashable items: words, or a text.
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
        # An insertion costs one per place, hence a running minimum.
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])


class ErrorRates:
    """Accumulates word and character errors of transcripts.

    Attributes:
        lines: for each transcript `reference`, `hypothesis`, `word_errors` and
            `character_errors`.
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
        """Returns word and character error rates over all transcripts.

        Errors of all transcripts are divided by the length of all references,
        as in jiwer. If all references are empty, they count as one word and one
        character.

        Raises:
            ValueError: if there are no transcripts.
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
        """Returns position and line of transcripts with errors, worst first.

        Sorted by character error rate, then by number of errors.
        """

        def badness(position):
            line = self.lines[position]
            wrong = line["character_errors"]
            return -wrong / max(len(line["reference"]), 1), -wrong

        order = sorted(range(len(self.lines)), key=badness)
        worst_pairs = [(i, self.lines[i]) for i in order[:count]]
        return [pair for pair in worst_pairs if pair[1]["character_errors"]]
