"""The map, as numbers and in a real browser."""

import base64
import io
import json
import os
import re

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from byol_tf.data.items import Items
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.reports.drawing import COLOURS
from byol_tf.search.map import chosen_rows, plane, write_map
from tests.support.browser import CHROMIUM, new_page
from tests.support.embeddings import random_vectors, write_embeddings
from tests.support.settings import map_settings

NAMES = ("cats", "dogs", "</script> & $")


def three_groups(count):
    """Vectors near three directions, and which."""
    group = np.arange(count) % 3
    vectors = 5 * np.eye(3, 8, dtype=np.float32)[group]
    return vectors + 0.1 * random_vectors(count, 8), group


def colour_of(number):
    return (number * 40 % 256, number * 90 % 256, number * 17 % 256)


@pytest.fixture
def drawn(tmp_path):
    """A map of 30 images of plain colours in three folders."""
    vectors, group = three_groups(30)
    folder = tmp_path / "images <b>"
    paths = []
    for number in range(30):
        paths.append(f"{NAMES[group[number]].replace('/', '-')}/{number}é.png")
        path = folder / paths[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), colour_of(number)).save(path)
    (folder / paths[7]).unlink()  # a lost image keeps its point
    target = tmp_path / "e.parquet"
    embeddings = write_embeddings(target, vectors, paths, folder)
    count = write_map(
        embeddings,
        Items(folder),
        tmp_path / "map.html",
        map_settings(),
        IMAGE.thumbnail,
    )
    return tmp_path / "map.html", paths, count


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(
        re.search(r'<script id="data"[^>]*>(.*?)</script>', text, re.S)[1]
    )


def test_a_folder_is_drawn_whose_name_is_not_utf_8(tmp_path):
    vectors = random_vectors(6, 4)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    write_map(
        embeddings,
        Items(tmp_path / os.fsdecode(b"caf\xe9")),
        tmp_path / "map.html",
        map_settings(),
        lambda _, side: None,
    )
    assert "6 files of caf\\udce9" in (tmp_path / "map.html").read_text()


def test_rows_are_chosen_at_equal_distances():
    assert chosen_rows(10, 4).tolist() == [0, 3, 6, 9]
    assert chosen_rows(3, 2000).tolist() == [0, 1, 2]
    assert len(set(chosen_rows(2001, 2000))) == 2000


def test_similar_images_lie_near_each_other():
    vectors, group = three_groups(60)
    places = plane(vectors, map_settings(perplexity=8))
    assert places.min() >= 0 and places.max() == 1
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(axis=1)] == group).all()
    again = plane(vectors, map_settings(perplexity=8))
    np.testing.assert_array_equal(places, again)


@pytest.mark.parametrize(
    "vectors,told",
    [
        (np.ones((9, 4), np.float32), "collapsed"),
        (random_vectors(4, 4), "at least 5"),
    ],
)
def test_what_cannot_be_a_map_is_refused(vectors, told):
    with pytest.raises(ValueError, match=told):
        plane(vectors, map_settings())


def test_the_page_holds_paths_classes_and_thumbnails(drawn):
    page, paths, count = drawn
    data = data_of(page)
    assert count == 30 and data["paths"] == paths
    assert [c["count"] for c in data["classes"]] == [10, 10, 10]
    names = [data["classes"][label]["name"] for label in data["labels"]]
    assert names == [path.split("/")[0] for path in paths]
    encoded = data["sprite"].split(",")[1]
    sprite = Image.open(io.BytesIO(base64.b64decode(encoded)))
    side, columns = data["side"], data["columns"]
    for number in (0, 11, 29):
        x, y = number % columns * side, number // columns * side
        pixel = sprite.getpixel((x + side // 2, y + side // 2))
        np.testing.assert_allclose(pixel, colour_of(number), atol=6)


def test_the_page_asks_for_nothing_else(drawn):
    text = drawn[0].read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "http://" not in text and "https://" not in text


def test_images_without_sub_folders_have_one_colour(tmp_path):
    vectors, _ = three_groups(6)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    write_map(
        embeddings,
        Items(tmp_path),
        tmp_path / "map.html",
        map_settings(),
        IMAGE.thumbnail,
    )
    data = data_of(tmp_path / "map.html")
    assert data["classes"] == [] and data["labels"] == [0] * 6


@pytest.mark.parametrize(
    "table,names,counts",
    [
        ("path,label\na\\0.png,red\n./b/1.png,blue\na/2.png,\n",
         ["blue", "red", "without a label"], [1, 1, 4]),
        ("path,age\na/0.png,3\n", ["a", "b"], [3, 3]),  # no column of labels
        ("path\n", ["a", "b"], [3, 3]),  # no table
    ],
)  # fmt: skip
def test_a_table_of_labels_colours_before_the_folders(
    table, names, counts, tmp_path
):
    (tmp_path / "labels.csv").write_text(table)
    paths = [f"{'ab'[number % 2]}/{number}.png" for number in range(6)]
    target, vectors = tmp_path / "e.parquet", random_vectors(6, 4)
    embeddings = write_embeddings(target, vectors, paths, tmp_path)
    write_map(
        *(embeddings, Items(tmp_path), tmp_path / "map.html"),
        *(map_settings(), IMAGE.thumbnail),
    )
    classes = data_of(tmp_path / "map.html")["classes"]
    assert [one["name"] for one in classes] == names
    assert [one["count"] for one in classes] == counts


def screen(page):
    """Where each point is, in pixels of the window."""
    return page.evaluate(
        "(() => { const box = canvas.getBoundingClientRect();"
        " return places.map((_, i) => onScreen(i))"
        ".map(([x, y]) => [x + box.left, y + box.top]); })()"
    )


def shares_of_window(page, places):
    """Width and height of all points, as shares of what the legend leaves."""
    left, top, width, height = page.evaluate(
        "(() => { const box = canvas.getBoundingClientRect();"
        " return [box.left, box.top, legend.offsetLeft, box.height]; })()"
    )
    spread = np.ptp(np.array(places), axis=0)
    assert (np.array(places) > [left, top]).all()
    return min(spread / [width, height])


def text_of(page, selector):
    return page.evaluate(f"document.querySelector('{selector}').textContent")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or google-chrome")
def test_in_a_browser_the_map_shows_paths_and_thumbnails(drawn, tmp_path):
    file, paths, _ = drawn
    with new_page(tmp_path / "profile") as page:
        page.open(f"{file.as_uri()}#point=3")
        drawn_points = "document.querySelector('canvas').dataset.drawn"
        assert page.evaluate(drawn_points) == "30"
        assert text_of(page, "#chosen .path") == paths[3]
        assert text_of(page, "h1") == "30 files of images <b>"

        places = screen(page)
        picture = pixels(page)
        assert shares_of_window(page, places) > 0.8
        labels = data_of(file)["labels"]
        for (x, y), label in zip(places, labels, strict=True):
            near = picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
            # Of points that overlap, any may be on top.
            colours = np.array([to_rgb(c) for c in COLOURS[:3]])
            inks = 0.72 * colours + 0.28 * np.array(to_rgb("#f6f7f9"))
            error = np.abs(near[..., None, :] - np.vstack([inks, colours]))
            assert error.max(axis=-1).min() < 0.08, (x, y, label)

        x, y = places[11]
        page.mouse("mouseMoved", x, y)
        at = int(page.evaluate("document.querySelector('#tip').dataset.point"))
        assert abs(np.array(places[at]) - places[11]).max() < 1
        assert text_of(page, "#tip .path") == paths[at]
        box = page.evaluate(
            "(() => { const b = document.querySelector('#tip .thumb')"
            ".getBoundingClientRect(); return [b.left, b.top, b.width]; })()"
        )
        left, top, width = map(int, box)
        shown = pixels(page)[top + width // 2, left + width // 2]
        np.testing.assert_allclose(
            shown * 255, colour_of(at), atol=8, err_msg=paths[at]
        )

        page.click(x, y)
        assert text_of(page, "#chosen .path") == paths[at]
        assert page.evaluate("location.hash") == f"#point={at}"
        page.evaluate("document.querySelector('#legend button').click()")
        page.settle()
        assert page.evaluate(drawn_points) == "20"
        assert page.complaints == []
        assert all(url.startswith(("file:", "data:")) for url in page.requests)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or google-chrome")
def test_in_a_browser_the_map_zooms_and_moves(drawn, tmp_path):
    with new_page(tmp_path / "profile") as page:
        page.open(drawn[0].as_uri())
        before = np.array(screen(page))
        page.mouse("mouseWheel", 600, 400, deltaX=0, deltaY=-400)
        zoomed = np.array(screen(page))
        centre = np.array([600, 400])
        wanted = centre + np.exp(0.6) * (before - centre)
        np.testing.assert_allclose(zoomed, wanted, atol=0.01)
        page.mouse("mousePressed", 500, 500, button="left", clickCount=1)
        page.mouse("mouseMoved", 560, 470, button="left", buttons=1)
        page.mouse("mouseReleased", 560, 470, button="left", clickCount=1)
        np.testing.assert_allclose(
            np.array(screen(page)) - zoomed, [[60, -30]] * 30, atol=0.01
        )
        page.evaluate("document.querySelector('#reset').click()")
        np.testing.assert_allclose(screen(page), before, atol=0.01)
        assert page.complaints == []


def pixels(page):
    return matplotlib.image.imread(io.BytesIO(page.screenshot()))[..., :3]
