"""Parses parts of the labels: 1%, 25-per-class, 100."""

import dataclasses
import re
from collections.abc import Sequence

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_COUNT = re.compile(r"\d+")
_PER_CLASS = re.compile(r"(\d+)-per-class")


@dataclasses.dataclass(frozen=True)
class Fraction:
    """A part of the labelled examples; one of the three numbers is set.

    Attributes:
        name: as in `--labels=`, such as "1%" or "25-per-class".
        share: share of all examples, in (0, 1].
        per_class: examples per class.
        count: number of examples of all classes together.
    """

    name: str
    share: float | None = None
    per_class: int | None = None
    count: int | None = None


def parse_fractions(texts: Sequence[str]) -> tuple[Fraction, ...]:
    """Parses "1%", "25-per-class", "100" and "all", separated by commas.

    Returns each once. Raises a ValueError if there is none, or one is invalid.
    """
    words = [w.strip() for text in texts for w in text.split(",")]
    words = [word for word in words if word]
    if not words:
        raise ValueError(
            "`labels` must name a part of the labels, such as 1% or "
            f"25-per-class. Received: {list(texts)!r}"
        )
    return tuple(dict.fromkeys(map(_parse, words)))


def _parse(word):
    if word == "all":
        word = "100%"
    if (match := _SHARE.fullmatch(word)) and 0 < float(match[1]) <= 100:
        return Fraction(f"{float(match[1]):g}%", share=float(match[1]) / 100)
    if (match := _PER_CLASS.fullmatch(word)) and int(match[1]):
        return Fraction(f"{int(match[1])}-per-class", per_class=int(match[1]))
    if _COUNT.fullmatch(word) and int(word):
        return Fraction(str(int(word)), count=int(word))
    raise ValueError(
        "`labels` must be shares above 0% up to 100%, such as 1% or 0.5%, or "
        "numbers such as 25-per-class or 100, separated by commas. "
        f"Received: {word!r}"
    )
