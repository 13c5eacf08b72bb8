"""What all pictures share: colours, styles, and PNG files written whole.

Colours are those of Okabe and Ito and two more, distinct to colour-blind
eyes; no picture should make them the only sign of a difference.
"""

import io
import os
import warnings
from typing import BinaryIO

from matplotlib.figure import Figure
from matplotlib.text import Text

from byol_tf.files import whole_file
from byol_tf.lines import as_text

Target = str | os.PathLike | BinaryIO

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
RED = "#D55E00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
BLACK = "#222222"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, "#C9BC00", BLACK)
COLOURS += ("#7B4B2A", "#5B3A9E")
GRAY = "#6b6b6b"
_MARKERS = "os^DvPX*<"


def style(index: int) -> dict[str, str]:
    """Returns colour and marker, as keywords, of the curve or class `index`.

    Ten colours and nine markers give 90 distinct pairs.
    """
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": _MARKERS[index % len(_MARKERS)],
    }


def save_png(figure: Figure, target: Target) -> None:
    """Writes a figure to a path, whole or not at all, or to a buffer."""
    buffer = io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a class may be named "$%$"
        text.set_text(as_text(text.get_text()))  # which Matplotlib needs
    with warnings.catch_warnings():
        # Letters in names that the font lacks.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format="png", dpi=144, facecolor="white")
    if hasattr(target, "write"):
        target.write(buffer.getvalue())
        return
    with whole_file(target) as temporary:
        temporary.write_bytes(buffer.getvalue())
