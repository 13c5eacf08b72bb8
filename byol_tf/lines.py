"""What is said in one line: of errors, of names, and of long work."""

from collections.abc import Iterable

from tqdm import tqdm


def first_line(error: object) -> str:
    """The first line of what an error says; its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def as_text(path: str) -> str:
    """A path with the bytes spelt out that are not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()


def progress_bar(
    title: str, iterable: Iterable | None = None, **options
) -> tqdm:
    """A bar on the terminal; without `iterable`, `update` moves it."""
    return tqdm(
        iterable,
        desc=title,
        dynamic_ncols=True,
        mininterval=0.5,
        unit_scale=True,
        **options,
    )
