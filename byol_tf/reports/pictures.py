"""Pictures of a run, as PNG files or buffers.

Drawn with matplotlib's objects on the Agg canvas: no window, no `pyplot`
state.
"""

from byol_tf.reports.grids import neighbours_grid, views_grid
from byol_tf.reports.plots import before_after_scatter, curves

__all__ = ["before_after_scatter", "curves", "neighbours_grid", "views_grid"]
