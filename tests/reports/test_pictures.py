"""byol_tf.reports.grids and byol_tf.reports.plots."""

import io
import math

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from byol_tf.reports import grids, plots
from byol_tf.reports.drawing import GREEN, RED


def images(count, channels=3, size=12, seed=0):
    shape = (count, size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def drawn(draw, *args, **kwargs):
    """The PNG as a float array `[height, width, 4]`."""
    buffer = io.BytesIO()
    draw(*args, buffer, **kwargs)
    assert buffer.getvalue().startswith(b"\x89PNG\r\n\x1a\n")
    buffer.seek(0)
    return matplotlib.image.imread(buffer)


def pixels_of(picture, colour):
    """How many pixels have this colour."""
    distance = np.abs(picture[..., :3] - to_rgb(colour)).max(axis=-1)
    return int(np.sum(distance < 0.01))


def uniform(count, colour, size=12):
    return np.tile(np.array(colour, np.uint8), (count, size, size, 1))


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_views_of_any_number_of_channels(channels):
    shown = images(5, channels)
    picture = drawn(grids.views_grid, shown, shown[:, :8, :8], shown / 255)
    height, width = picture.shape[:2]
    assert 400 < height < 600
    assert 600 < width < 1000


def test_views_show_the_pixels_of_each_row():
    picture = drawn(
        grids.views_grid,
        uniform(3, (255, 0, 0)),
        uniform(3, (0, 255, 0)) / np.float32(255),
        uniform(3, (0, 0, 255), size=6),
    )
    counts = [pixels_of(picture, colour) for colour in ("#f00", "#0f0", "#00f")]
    assert min(counts) > 3 * 100 * 100
    assert max(counts) == pytest.approx(min(counts), rel=0.05)


def test_gray_images_are_shown_in_absolute_brightness():
    shown = uniform(2, (51,))
    picture = drawn(grids.views_grid, shown, shown, shown)
    assert pixels_of(picture, (0.2, 0.2, 0.2)) > 6 * 100 * 100


def test_more_than_three_channels_show_the_first_three():
    shown = uniform(2, (255, 0, 0, 99, 99))
    picture = drawn(grids.views_grid, shown, shown, shown)
    assert pixels_of(picture, "#f00") > 6 * 100 * 100


def test_views_are_limited_to_the_given_columns():
    shown = images(9)
    few = drawn(grids.views_grid, shown, shown, shown, columns=4)
    many = drawn(grids.views_grid, shown, shown, shown)
    assert few.shape[1] < many.shape[1]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((images(3), images(3), images(2)), "3, 3, 2"),
        ((images(0), images(0), images(0)), "at least one"),
        ((np.zeros((3, 9)),) * 3, r"\(3, 9\)"),
        ((images(3).astype(np.int32),) * 3, "int32"),
    ],
)
def test_views_of_something_else_are_an_error(arguments, match):
    with pytest.raises(ValueError, match=match):
        grids.views_grid(*arguments, io.BytesIO())


def test_neighbours_are_framed_by_their_class():
    found = uniform(6, (0, 0, 0)).reshape(2, 3, 12, 12, 3)

    def frames(labels):
        picture = drawn(
            grids.neighbours_grid,
            images(2),
            found,
            query_labels=np.array([4, -1]),
            neighbour_labels=np.array(labels),
        )
        return pixels_of(picture, GREEN), pixels_of(picture, RED)

    green, red = frames([[4, 4, 4], [4, 1, 1]])
    assert green > 500 and red == 0
    green, red = frames([[1, -1, -1], [4, 1, 1]])
    assert green == 0 and red > 100


def test_neighbours_without_labels_have_no_frames():
    found = images(6, 1).reshape(2, 3, 12, 12, 1)
    picture = drawn(grids.neighbours_grid, images(2, 1), found)
    np.testing.assert_array_equal(picture[..., 0], picture[..., 1])


def test_neighbours_of_other_queries_are_an_error():
    found = images(6).reshape(2, 3, 12, 12, 3)
    with pytest.raises(ValueError, match=r"3 queries.*\(2, 3, 12, 12, 3\)"):
        grids.neighbours_grid(images(3), found, io.BytesIO())


def training(steps=40):
    lines = []
    for step in range(1, steps + 1):
        rates = {"learning_rate": 0.1 / step, "tau": 0.99}
        values = {"loss": 2 / step, "feature_std": 0.4, "probe_accuracy": 0.5}
        lines.append({"step": step, **rates, **values})
        if step % 10 == 0:
            measured = {"knn_accuracy": 0.6, "effective_rank": 12.0}
            lines.append({"step": step, "feature_std": 0.5, **measured})
    return lines


def test_curves_have_a_panel_for_each_kind_of_number():
    everything = drawn(plots.curves, training())
    loss_only = drawn(plots.curves, [{"step": 1, "loss": 2.0}])
    assert everything.shape[1] == 3 * loss_only.shape[1]
    assert everything.shape[0] // 2 == loss_only.shape[0]


def test_curves_leave_out_values_that_are_not_finite():
    lines = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    broken = [*lines, {"step": 3, "loss": math.nan}]
    np.testing.assert_array_equal(
        drawn(plots.curves, broken), drawn(plots.curves, lines)
    )


def test_curves_without_numbers_are_an_error():
    with pytest.raises(ValueError, match="1 lines without any"):
        plots.curves([{"step": 3, "seconds": 1.0}], io.BytesIO())


def features(count=60, dim=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim))


def test_scatter_of_two_representations():
    picture = drawn(
        plots.before_after_scatter,
        features(),
        features(dim=8, seed=1),
        np.arange(60) % 3,
        class_names=["a", "b", "c"],
    )
    assert picture.shape[0] > 500 and picture.shape[1] > 1200
    assert pixels_of(picture, (1, 1, 1)) < picture[..., 0].size


@pytest.mark.parametrize("labels", [None, np.full(60, -1), np.arange(60)])
def test_scatter_of_any_labels(labels):
    drawn(plots.before_after_scatter, features(), features(), labels)


def test_scatter_of_collapsed_features_is_drawn():
    drawn(plots.before_after_scatter, features(), np.ones((60, 5)), None)


@pytest.mark.parametrize(
    ("after", "match"),
    [
        (features(59), r"\(60, 5\) and \(59, 5\)"),
        (features() * np.nan, "finite"),
    ],
)
def test_scatter_of_something_else_is_an_error(after, match):
    with pytest.raises(ValueError, match=match):
        plots.before_after_scatter(features(), after, None, io.BytesIO())


def test_file_equals_buffer_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "run" / "curves.png"
    plots.curves(training(), path)
    buffer = io.BytesIO()
    plots.curves(training(), buffer)
    assert path.read_bytes() == buffer.getvalue()
    assert list(path.parent.iterdir()) == [path]
