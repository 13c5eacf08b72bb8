"""Contact sheets."""

import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from byol_tf.reports.drawing import BLUE
from byol_tf.reports.sheet import Picture, contact_sheet, shorten


def drawn(rows, **options):
    buffer = io.BytesIO()
    options = {"title": "A sheet", "headings": ["query"] * len(rows)} | options
    contact_sheet(rows, buffer, **options)
    buffer.seek(0)
    return matplotlib.image.imread(buffer)


def pixels_of(picture, colour):
    distance = np.abs(picture[..., :3] - to_rgb(colour)).max(axis=-1)
    return np.argwhere(distance < 0.02)


def shown(colour, name="a.png"):
    pixels = np.round(255 * np.array(to_rgb(colour))).astype(np.uint8)
    return Picture(np.tile(pixels, (40, 40, 1)), name, "0.900")


def test_images_stand_in_their_order():
    colours = ("#ff0000", "#00ff00", "#0000ff")
    row = [shown(colour) for colour in colours]
    picture = drawn([row])
    places = [pixels_of(picture, colour) for colour in colours]
    assert min(map(len, places)) > 140 * 140
    columns = [place[:, 1].mean() for place in places]
    assert columns == sorted(columns)
    assert len(pixels_of(picture, BLUE)) > 500  # frame of the first


def test_rows_may_have_different_lengths():
    red, green = shown("#ff0000"), shown("#00ff00")
    picture = drawn([[red, green, green], [green, red]])
    assert len(pixels_of(picture, "#00ff00")) == pytest.approx(
        1.5 * len(pixels_of(picture, "#ff0000")), rel=0.1
    )


@pytest.mark.filterwarnings("error")
def test_lost_images_and_any_name_are_no_obstacle():
    strange = shown("#00ff00", name="$x_ 日本 {\udcff.png")
    lost = Picture(None, "lost.png", "0.5")
    assert len(pixels_of(drawn([[strange, lost]]), "#00ff00")) > 140 * 140


def test_long_paths_keep_their_end():
    assert shorten("short.png", 17) == "short.png"
    assert shorten("a/very/long/path/image.png", 12) == "…h/image.png"


def test_a_sheet_without_images_is_refused():
    for rows in ([], [[]]):
        with pytest.raises(ValueError, match="at least one image"):
            drawn(rows)
