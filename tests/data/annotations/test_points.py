"""Points outside of their images."""

from byol_tf.data.annotations.points import check_points
from byol_tf.data.label_table import LabelTable

PATHS = ("a.png", "b.png", "c.png")


def table(**columns):
    return LabelTable(PATHS, columns, "train.csv")


def test_a_point_outside_is_hidden_and_said():
    given = table(
        nose_x=("0.5", "1.2", "0.1"),
        nose_y=("0.5", "0.3", "1"),
        tail_x=("0.5", "0.5", ""),
        tail_y=("-0.01", "0.5", ""),
        note=("7", "8", "9"),
    )
    found, (line,) = check_points(given)
    assert found.columns["nose_x"] == ("0.5", "", "0.1")
    assert found.columns["nose_y"] == ("0.5", "", "1")
    assert found.columns["tail_x"] == ("", "0.5", "")
    assert found.columns["tail_y"] == ("", "0.5", "")
    assert found.columns["note"] == ("7", "8", "9")
    assert line == (
        "Hidden: 2 points of train.csv that lie outside of their images, in "
        "'a.png', 'b.png'."
    )


def test_good_tables_and_those_in_pixels_stay_as_they_are():
    good = table(nose_x=("0", "1", ""), nose_y=("0", "0.3", ""))
    pixels = table(nose_x=("12", "40", "0"), nose_y=("8", "9", "0"))
    words = table(nose_x=("left", "0.1", "1"), nose_y=("0.1", "0.2", "0.3"))
    # Words are an error of the task, which names the cell.
    for given in (good, pixels, words, table(label=PATHS)):
        assert check_points(given) == (given, ())
