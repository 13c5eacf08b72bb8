"""What is said in one line: of errors, and of names that are no text."""


def first_line(error: object) -> str:
    """The first line of what an error says; its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def as_text(path: str) -> str:
    """A path with the bytes spelt out that are not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()
