"""Parses dates and times to seconds since 1970."""

import contextlib
import datetime
import math
import re

_DAY = re.compile(r"(19|20)\d{6}")  # as seconds it would be a day of 1970
_FINER = 1e11  # as seconds the year 5138, so milliseconds or microseconds


def of_text(value: str | float) -> float:
    """Returns seconds since 1970 of a number (s, ms, µs) or an ISO date.

    Raises:
        ValueError: if it is neither.
    """
    text = str(value).strip()
    with contextlib.suppress(ValueError):
        if _DAY.fullmatch(text):  # Python 3.10 needs hyphens
            return of_iso(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    with contextlib.suppress(ValueError):
        number = float(text)
        if math.isfinite(number):
            while abs(number) > _FINER:
                number /= 1000
            return number
    return of_iso(text)


def of_date(moment: datetime.datetime) -> float:
    """Returns seconds since 1970 of a date; without a zone, of UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()


def of_iso(text: str) -> float:
    """Returns seconds since 1970 of a date such as 2024-05-01T12:30:00Z.

    Raises:
        ValueError: if it has another form.
    """
    return of_date(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")))
