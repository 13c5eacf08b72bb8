"""Contact sheets."""

import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from byol_tf.modalities.image.sheet import (
    Shown,
    contact_sheet,
    shorten,
    thumbnail,
)
from byol_tf.reports.drawing import BLUE


def drawn(rows, **options):
    buffer = io.BytesIO()
    options = {"title": "A sheet", "headings": ["query"] * len(rows)} | options
    contact_sheet(rows, buffer, **options)
    buffer.seek(0)
    return matplotlib.image.imread(buffer)


def pixels_of(picture, colour):
    distance = np.abs(picture[..., :3] - to_rgb(colour)).max(axis=-1)
    return np.argwhere(distance < 0.02)


def shown(folder, colour, name=None, size=(40, 40)):
    path = folder / f"{name or colour.strip('#')}.png"
    Image.new("RGB", size, colour).save(path)
    return Shown(path, path.name, "0.900")


def test_images_stand_in_their_order(tmp_path):
    colours = ("#ff0000", "#00ff00", "#0000ff")
    row = [shown(tmp_path, colour) for colour in colours]
    picture = drawn([row])
    places = [pixels_of(picture, colour) for colour in colours]
    assert min(map(len, places)) > 140 * 140
    columns = [place[:, 1].mean() for place in places]
    assert columns == sorted(columns)
    assert len(pixels_of(picture, BLUE)) > 500  # frame of the first


def test_rows_may_have_different_lengths(tmp_path):
    red, green = shown(tmp_path, "#ff0000"), shown(tmp_path, "#00ff00")
    picture = drawn([[red, green, green], [green, red]])
    assert len(pixels_of(picture, "#00ff00")) == pytest.approx(
        1.5 * len(pixels_of(picture, "#ff0000")), rel=0.1
    )


@pytest.mark.filterwarnings("error")
def test_lost_images_and_any_name_are_no_obstacle(tmp_path):
    strange = shown(tmp_path, "#00ff00", name="$x_ 日本 {")
    lost = Shown(tmp_path / "lost.png", "lost.png", "0.5")
    assert len(pixels_of(drawn([[strange, lost]]), "#00ff00")) > 140 * 140


def test_a_thumbnail_is_the_centre_square_and_never_enlarged(tmp_path):
    pixels = np.zeros((20, 50, 3), np.uint8)
    pixels[:, 15:35] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert thumbnail(tmp_path / "wide.png", 100).shape == (20, 20, 3)
    small = thumbnail(tmp_path / "wide.png", 8)
    assert small.shape == (8, 8, 3) and (small[:, 2:-2] == 200).all()
    assert small.min() > 150  # nothing of the sides, but for the filter
    (tmp_path / "bad.png").write_bytes(b"?")
    assert thumbnail(tmp_path / "bad.png", 8) is None


def test_long_paths_keep_their_end():
    assert shorten("short.png", 17) == "short.png"
    assert shorten("a/very/long/path/image.png", 12) == "…h/image.png"


def test_a_sheet_without_images_is_refused(tmp_path):
    for rows in ([], [[]]):
        with pytest.raises(ValueError, match="at least one image"):
            drawn(rows)
