"""Formats the comparison of exports as text."""

from collections.abc import Mapping, Sequence

from byol_tf.export.verify import TIMED

_HEADER = (
    "",
    "MiB",
    "difference",
    "cosine",
    "kNN %",
    "1 row",
    f"{TIMED} rows",
)
_WIDTHS = (22, 7, 12, 11, 8, 12, 15, 10)


def table(verifications: Sequence[Mapping]) -> str:
    """Returns a row for Keras, and one per way to call each export.

    Args:
        verifications: of one encoder: `keras` and, by name, `forms`; see
            `verify.Comparison`.
    """
    keras = verifications[0]["keras"]
    metric = keras.get("metric")
    header = (*_HEADER, _heading(metric)) if metric else _HEADER
    keras_row = _row("Keras", keras["timing"], knn=keras["knn"])
    rows = [header, (*keras_row, _value(metric)) if metric else keras_row]
    exports = [item for v in verifications for item in v["forms"].items()]
    for name, numbers in exports:
        knn, timing = numbers["knn"], numbers["timing"]
        comparisons = dict(numbers["by_signature"])
        row = _row(
            name,
            timing,
            comparisons.pop("images"),
            numbers["bytes_on_disk"],
            knn and knn["exported"],
        )
        rows.append((*row, _value(numbers.get("metric"))) if metric else row)
        for kind, row in comparisons.items():
            rows.append(_row(f"  by {kind}", timing["files"], row))
    lines = []
    longest = max(_WIDTHS[0], *(len(row[0]) for row in rows))
    for label, *cells in rows:
        line = label.ljust(longest)
        for text, width in zip(cells, _WIDTHS[1:], strict=False):
            line += text.rjust(width)
        lines.append(line.rstrip())
    return "\n".join(lines)


def _row(name, timing, comparison=None, size=None, knn=None):
    return (
        name,
        f"{size / 2**20:.2f}" if size else "",
        f"{comparison['largest_difference']:.1e}" if comparison else "",
        f"{comparison['smallest_cosine']:.7f}" if comparison else "",
        f"{100 * knn:.2f}" if knn is not None else "",
        f"{timing['latency_ms']:.2f} ms",
        f"{timing['images_per_second']:.0f} per s",
    )


def _heading(metric):
    return f"{metric['name']}{' %' if metric['percent'] else ''}"


def _value(metric):
    if not metric:
        return ""
    scale, digits = (100, 2) if metric["percent"] else (1, 3)
    return f"{scale * metric['exported']:.{digits}f}"
