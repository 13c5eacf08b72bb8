"""Writes subtitles in SRT format."""

import os
from collections.abc import Sequence

from byol_tf.files import write_text
from byol_tf.lines import printable

SUFFIX = ".srt"


def write_subtitles(
    path: str | os.PathLike, rows: Sequence[tuple[str, dict]]
) -> None:
    """Writes an SRT file, atomically.

    Args:
        path: path of the file.
        rows: path of the sound, and its `text`, `start` and `end` in seconds;
            rows without text are left out. With several sounds, each text
            begins with its path, since all begin at 0.
    """
    several = len({name for name, _ in rows}) > 1
    rows_with_text = [(name, row) for name, row in rows if row["text"]]
    cues = [
        f"{number}\n{clock(row['start'])} --> {clock(row['end'])}\n"
        f"{f'[{printable(name)}] ' if several else ''}{row['text']}\n"
        for number, (name, row) in enumerate(rows_with_text, 1)
    ]
    write_text(path, "\n".join(cues))


def clock(seconds: float) -> str:
    """Formats seconds as 00:01:02,500."""
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
