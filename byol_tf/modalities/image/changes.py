"""Operations of a view on its crops: turns, colours, blur.

Each function takes the view, which has the options, the crops, float32 `[batch,
height, width, channels]` in [0, 1], and random numbers by name, see
`sampling.by_name`.
"""

import logging
from collections.abc import Mapping

import tensorflow as tf

from byol_tf.modalities.image import geometry, ops, sampling
from byol_tf.modalities.image.layer import ImageLayer

_log = logging.getLogger(__name__)


def change(view: ImageLayer, images: tf.Tensor, draws: dict) -> tf.Tensor:
    """Applies all operations, in the order given by `View`."""
    for operation in (_turn, _rotate, _jitter, _grayscale, _blur, _solarize):
        images = operation(view, images, draws)
    return tf.clip_by_value(images, 0.0, 1.0)


def _turn(view, images, draws):
    if view.flip_vertical:
        flip = (draws["flip_vertical"] < view.flip_vertical)[
            :, None, None, None
        ]
        images = tf.where(flip, tf.reverse(images, [1]), images)
    if not view.turn:
        return images
    if images.shape[1] != images.shape[2]:
        raise ValueError(
            "`turn` needs square views. "
            f"Received: turn={view.turn}, size={images.shape[1:3]}"
        )
    quarters = tf.cast(4.0 * draws["quarters"], tf.int32)
    applies = draws["turn"] < view.turn
    return ops.turn(images, tf.where(applies, quarters, 0))


def _rotate(view, images, draws):
    if not view.rotate:
        return images
    # Mirrored at the border: black corners would tell the angle.
    return geometry.rotate(images, angle(view, draws))


def angle(view, draws: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns each view's rotation, degrees counter-clockwise, `[batch]`."""
    return sampling.between(draws["angle"], -view.rotate, view.rotate)


def _jitter(view, images, draws):
    strengths = [view.brightness, view.contrast, view.saturation, view.hue]
    if images.shape[-1] != 3:
        strengths[2:] = 0.0, 0.0
    if not view.jitter or not any(strengths):
        return images
    applies = draws["jitter"] < view.jitter
    parameters = []
    for i, neutral in enumerate((0.0, 1.0, 1.0, 0.0)):
        low, high = neutral - strengths[i], neutral + strengths[i]
        value = sampling.between(draws["strengths"][:, i], low, high)
        parameters.append(tf.where(applies, value, neutral))
    if not any(strengths[2:]):
        parameters[2:] = None, None
    order = sampling.ranking(draws["order"])
    return ops.color_jitter(images, *parameters, order)


def _grayscale(view, images, draws):
    if not view.grayscale or images.shape[-1] != 3:
        return images
    applies = draws["grayscale"] < view.grayscale
    return ops.apply_where(applies, ops.to_grayscale, images)


def _blur(view, images, draws):
    kernel_size = images.shape[1] / view.blur_divider
    if not view.blur or kernel_size < 2.0:
        return images
    sigma = sampling.between(draws["sigma"], *view.blur_sigma)
    return ops.apply_where(
        draws["blur"] < view.blur,
        lambda images: ops.gaussian_blur(images, sigma, kernel_size),
        images,
    )


def _solarize(view, images, draws):
    if not view.solarize:
        return images
    applies = draws["solarize"] < view.solarize
    # Pixels never reach 2.
    threshold = tf.where(applies, view.solarize_threshold, 2.0)
    return ops.solarize(images, threshold)


def warn_of_channels(layer: ImageLayer, views: list, images: tf.Tensor):
    """Warns once per layer which operations its views skip for such images."""
    channels = images.shape[-1]
    if channels in (3, None) or layer.warned:
        return
    layer.warned = True
    names = [
        name
        for name in ("saturation", "hue", "grayscale")
        if any(
            getattr(view, name) and (view.jitter or name == "grayscale")
            for view in views
        )
    ]
    if names:
        _log.warning(
            "Images have %d channels: no %s, which need red, green and blue.",
            channels,
            ", ".join(names),
        )
