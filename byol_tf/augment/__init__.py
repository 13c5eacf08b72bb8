"""Random views of images: operations, draws, and the recipes as layers."""

from byol_tf.augment.views import CentreView, TwoViews, View

__all__ = ["CentreView", "TwoViews", "View"]
