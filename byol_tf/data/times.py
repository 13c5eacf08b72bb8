"""Parses dates and times to seconds since 1970."""

import datetime


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
