"""byol_tf.reports.report."""

import base64
import html.parser
import io

import numpy as np
import pytest

from byol_tf.reports import grids
from byol_tf.reports.report import format_table, write_report


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


def png():
    buffer = io.BytesIO()
    shown = np.zeros((1, 4, 4, 1), np.uint8)
    grids.views_grid(shown, shown, shown, buffer)
    return buffer.getvalue()


def page(tmp_path, **changes):
    arguments = {
        "title": "A run",
        "table": (
            ("", "before", "after"),
            [("kNN", "61.2 %", "83.4 %"), ("rank", 12.34567, None)],
        ),
        "pictures": {"Views": png()},
        "metrics": [
            {"step": 50, "loss": 3.25},
            {"step": 100, "loss": 0.125},
            {"step": 150, "loss": 0.5},
        ],
        "config_text": "batch_size: 256",
        "notes": ["Two cores."],
        **changes,
    }
    write_report(tmp_path / "report.html", **arguments)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_table_comes_first_with_all_its_numbers(tmp_path):
    texts = Page(page(tmp_path)).texts
    start = texts.index("before")
    assert texts[start : start + 7] == [
        "before",
        "after",
        "kNN",
        "61.2 %",
        "83.4 %",
        "rank",
        "12.35",
    ]
    assert start < texts.index("Two cores.") < texts.index("Views")


def test_metrics_are_summed_up_without_their_clock(tmp_path):
    texts = Page(page(tmp_path)).texts
    start = texts.index("loss")
    numbers = ["3.25", "0.5", "0.125", "3.25"]
    assert texts[start + 1 : start + 5] == numbers
    assert "step" not in texts


def test_configuration_is_shown(tmp_path):
    assert "batch_size: 256" in Page(page(tmp_path)).texts


def test_pictures_are_inside_the_file(tmp_path):
    sources = [
        value
        for tag, name, value in Page(page(tmp_path)).attributes
        if (tag, name) == ("img", "src")
    ]
    prefix = "data:image/png;base64,"
    assert [base64.b64decode(s.removeprefix(prefix)) for s in sources] == [
        png()
    ]


def test_nothing_is_loaded_and_no_script_runs(tmp_path):
    found = Page(page(tmp_path))
    assert not {"script", "link", "iframe"} & set(found.tags)
    links = [v for _, name, v in found.attributes if name in ("src", "href")]
    assert all(link.startswith("data:") for link in links)


@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"title": text},
        lambda text: {"notes": [text]},
        lambda text: {"config_text": text},
        lambda text: {"pictures": {text: png()}},
        lambda text: {"table": ((text,), [("1",)])},
        lambda text: {"table": (("a",), [(text,)])},
        lambda text: {"metrics": [{"step": 1, text: 1.0}]},
    ],
)
def test_html_in_the_values_is_escaped(tmp_path, place):
    text = '"><script>alert(1)</script>&amp;'
    found = Page(page(tmp_path, **place(text)))
    assert "script" not in found.tags
    assert any(text in shown for shown in found.texts)


@pytest.mark.parametrize("value", [float("nan"), None])
def test_values_that_are_not_finite_are_shown(tmp_path, value):
    metrics = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": value}]
    texts = Page(page(tmp_path, metrics=metrics)).texts
    start = texts.index("loss")
    assert texts[start + 1 : start + 5] == ["2", "nan", "2", "2"]


def test_minimal_report_is_written(tmp_path):
    path = tmp_path / "runs" / "report.html"
    write_report(path, title="T", table=(("a",), []), pictures={})
    assert Page(path.read_text()).texts[-1] == "a"
    assert list(path.parent.iterdir()) == [path]


def test_picture_that_is_not_png_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="'Views' starting with b'GIF89a'"):
        page(tmp_path, pictures={"Views": b"GIF89a"})


def test_text_table_is_aligned():
    table = format_table(
        [("kNN", "61.2 %", 83.41234), ("few labels", None, "7")],
        ("", "before", "after"),
    )
    assert table.split("\n") == [
        "             before   after",
        "---------------------------",
        "kNN          61.2 %   83.41",
        "few labels                7",
    ]


def test_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match=r"2 cells.*Received: \('x',\)"):
        format_table([("x",)], ("a", "b"))
