"""Writes measurements as tables and files, and the page of all results."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Sequence

from benchmarks import contest

QUICK, ONLY = "-quick", "-only"  # at the end of files that are no results


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: title above it.
        columns: names; the first column is text, the others are numbers.
        rows: cells as text.
        notes: lines below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def table_of(result: dict) -> Table:
    """Makes the table of a contest's results."""
    factors = contest.ratios(result)
    rows, notes = [], []
    for name, entry in result["entries"].items():
        factor = f"{factors[name]:.2f} x" if name in factors else ""
        unit = f" {entry['unit']}" if entry["unit"] else ""
        if not entry["counted"]:
            factor = "not counted"
            notes.append(f"{name} does not count: {entry['why_not']}.")
        rows.append(
            (
                name,
                f"{number(entry['median'])}{unit}",
                f"{number(entry['low'])} to {number(entry['high'])}",
                factor,
                _remarks(entry),
            )
        )
    notes += [f"{name}: {why}." for name, why in result["skipped"].items()]
    columns = ("", f"{result['unit']}, median", "range", "ours is", "")
    return Table(result["title"], columns, rows, notes)


def number(value: float) -> str:
    """Formats a number with commas and up to two decimals."""
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2
    return f"{value:,.{digits}f}"


def markdown(table: Table) -> str:
    """Returns a table in Markdown."""
    lines = [f"### {table.title}", "", _row(table.columns)]
    lines.append("|---|" + "---:|" * (len(table.columns) - 1))
    lines += [_row(row) for row in table.rows]
    lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def save(
    folder: pathlib.Path,
    name: str,
    tables: Sequence[Table],
    measured: object,
    about: dict,
) -> pathlib.Path:
    """Writes `<name>.json` and `<name>.md`.

    Args:
        folder: folder to write to; made if missing.
        name: name of the benchmark.
        tables: the tables.
        measured: all measurements, as JSON values.
        about: `machine` and `settings`, which add to the files' names, see
            `stem_of`.

    Returns:
        The path of the JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = stem_of(name, about["settings"])
    page = {
        "benchmark": name,
        **about,
        "tables": [dataclasses.asdict(table) for table in tables],
        "measured": measured,
    }
    path = folder / f"{stem}.json"
    path.write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(_section(page), encoding="utf-8")
    return path


def assemble(folder: pathlib.Path, target: pathlib.Path) -> list[str]:
    """Writes the page of all results of a folder.

    Those of quick runs and of chosen contestants are not on it.

    Returns:
        Names of the benchmarks on it.

    Raises:
        ValueError: if there are none.
    """
    paths = [
        path
        for path in sorted(folder.glob("*.json"))
        if not path.stem.endswith((QUICK, ONLY))
    ]
    if not paths:
        raise ValueError(
            f"no results in {folder}; `python -m benchmarks augment` measures "
            "the first"
        )
    pages = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    text = (
        "# Results of the benchmarks\n\n"
        "Written by `python -m benchmarks results`; what each measures, and "
        "how, is in\n[docs/performance.md](../docs/performance.md). `ours is` "
        "tells how many times the peer's\nrate the best of ours is.\n\n"
    )
    target.write_text(text + "\n".join(map(_section, pages)), encoding="utf-8")
    return [page["benchmark"] for page in pages]


def stem_of(name: str, settings: dict) -> str:
    """Returns the name of a result's files, without suffix."""
    parts = [name]
    if name == "long":
        parts.append(pathlib.PurePath(settings["config"]).stem)
    cases = re.sub(r"[^a-z0-9]+", "-", settings.get("cases", "").lower())
    stem = "-".join(filter(None, (*parts, cases.strip("-"))))
    stem += ONLY if settings.get("only") else ""
    return stem + (QUICK if settings.get("quick") else "")


def _section(page):
    machine = page["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in _versions(page).items())
    lines = [
        f"## {page['benchmark']}",
        "",
        f"{machine['date']}, commit {machine['commit']}: "
        f"{machine['processor']}, {machine['cores_used']} of "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; load at the start "
        f"{machine['load_at_start']}. {versions}",
        "",
    ]
    tables = [markdown(Table(**table)) for table in page["tables"]]
    return "\n".join(lines) + "\n" + "\n".join(tables)


def _versions(page):
    """Returns the package versions of all workers."""
    package_versions, open_values = {}, [page["measured"]]
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict):
            package_versions |= value.get("versions", {})
            open_values += value.values()
        elif isinstance(value, list):
            open_values += value
    return dict(sorted(package_versions.items()))


def _remarks(entry):
    """Returns a contestant's variant, losses and remark."""
    parts = [entry.get("info", {}).get("variant", "")]
    if entry.get("first_loss") is not None:
        first, last = entry["first_loss"], entry["last_loss"]
        parts.append(f"loss {first:.2f} to {last:.2f}")
    parts.append(entry.get("remark", ""))
    return "; ".join(part for part in parts if part)


def _row(cells):
    return "| " + " | ".join(cells) + " |"
