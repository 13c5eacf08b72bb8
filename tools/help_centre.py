"""Makes a help centre of this project's documentation.

    python -m tools.help_centre help

Writes `help/faq.csv`: each heading with the text below it, and its place.
"""

import csv
import pathlib
import re
import sys

DOCS = pathlib.Path(__file__).parents[1] / "docs"
_HEADING = re.compile(r"^#+ (.*)$", re.M)
SKIPPED_GUIDE = "customer_service.md"
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def rows() -> list[tuple[str, str, str]]:
    """Returns question, answer and id of every heading with text."""
    entries = []
    for path in sorted(DOCS.rglob("*.md")):
        if path.name == SKIPPED_GUIDE:  # its answers quote those of others
            continue
        name = path.relative_to(DOCS).as_posix()
        text = path.read_text("utf-8")
        text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        title, *parts = _HEADING.split(text)[1:]
        for heading, body in zip(
            [title, *parts[1::2]], parts[::2], strict=True
        ):
            answer = " ".join(_plain(body).split())
            question = title if heading == title else f"{title}: {heading}"
            if answer:
                entries.append((question, answer, f"{name}, {heading}"))
    return entries


def _plain(body):
    lines = (line for line in body.splitlines() if line[:1] not in ("|", "!"))
    return _LINK.sub(r"\1", "\n".join(lines)).replace("`", "").replace("*", "")


def main(folder: str) -> None:
    """Writes the file into a folder."""
    path = pathlib.Path(folder) / "faq.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("question", "answer", "id"), *rows()])
    print(f"{len(rows())} answers in {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
