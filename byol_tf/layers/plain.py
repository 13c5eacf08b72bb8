"""Converts encoders to plain Keras for files, and to our faster layers."""

import functools
import math

import keras
import numpy as np

from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.layers.convolution import Conv2D
from byol_tf.layers.graph import Recipe, copy_recipe, rebuild
from byol_tf.layers.normalization import Normalization

_SHARED = ("name", "trainable", "dtype")  # in the configuration of every layer


def to_plain(model: keras.Model) -> keras.Model:
    """Rebuilds a model from `keras.layers` alone.

    Once saved, `keras.saving.load_model` loads it without this package or
    keras-cv. Nested models become part of one graph. Names, weights and dtype
    policies stay. Outputs differ by rounding.

    Args:
        model: functional or sequential, built, of one graph.

    Raises:
        ValueError: if the model is neither.
    """
    return rebuild(model, _plain)


def to_fast(model: keras.Model) -> keras.Model:
    """Rebuilds a model with our layers wherever one computes the same.

    Moving statistics of batch norms count as averaged over many steps, so that
    training continues from them.

    Args:
        model: functional or sequential, built; usually one of `to_plain`.

    Raises:
        ValueError: if the model is neither.
    """
    return rebuild(model, _fast)


def _plain(layer) -> Recipe:
    layer_class, config, weights = copy_recipe(layer)
    if isinstance(layer, FusedBatchNormalization):
        config["momentum"] = config.pop("decay")
        return keras.layers.BatchNormalization, config, weights[:-1]
    if isinstance(layer, Conv2D):
        config = keras.layers.Conv2D.get_config(layer)
        return keras.layers.Conv2D, config, weights
    if isinstance(layer, Normalization):
        return keras.layers.Normalization, config, weights
    return layer_class, config, weights


def _fast(layer) -> Recipe:
    layer_class, config, weights = copy_recipe(layer)
    rank = len(getattr(getattr(layer, "input", None), "shape", ()))
    if layer_class is keras.layers.BatchNormalization and _has_default_options(
        layer, rank
    ):
        fast_config = {key: config[key] for key in (*_SHARED, "epsilon")}
        fast_config["decay"] = config["momentum"]
        updates = many_updates(fast_config["decay"])
        return FusedBatchNormalization, fast_config, [*weights, updates]
    if layer_class is keras.layers.Conv2D and _has_default_options(layer, rank):
        keys = (*_SHARED, "filters", "kernel_initializer")
        fast_config = {key: config[key] for key in keys}
        fast_config["kernel_size"], *other_sizes = set(config["kernel_size"])
        fast_config["strides"], *other_strides = set(config["strides"])
        if not (other_sizes or other_strides):
            return Conv2D, fast_config, weights
    if layer_class is keras.layers.Normalization:
        per_channel = tuple(config["axis"]) in ((-1,), (3,))
        if per_channel and rank == 4 and not config["invert"]:
            return Normalization, config, weights
    return layer_class, config, weights


def _has_default_options(layer, rank):
    """Returns whether all options are those that our layers support."""
    defaults, free = _default_options(type(layer))
    config = layer.get_config()
    if config.get("axis") == rank - 1:
        config["axis"] = -1
    return all(
        config[key] == defaults[key] for key in config if key not in free
    )


@functools.cache
def _default_options(layer_class):
    """Returns the configuration of such a layer, and the free options."""
    if layer_class is keras.layers.BatchNormalization:
        return layer_class().get_config(), {*_SHARED, "momentum", "epsilon"}
    free = {"filters", "kernel_size", "strides", "kernel_initializer"}
    layer = layer_class(1, 1, padding="same", use_bias=False)
    return layer.get_config(), {*_SHARED, *free}


def many_updates(decay: float) -> np.float32:
    """Returns how many updates a batch norm needs to have the rate 1 - decay.

    After them debiasing no longer changes the rate in float32.

    Args:
        decay: decay of its moving statistics, in [0, 1).
    """
    count = math.ceil(math.log(2.0**-26) / math.log(decay)) if decay else 1
    return np.float32(count)
