"""Convolutions that do what a batch norm behind them did."""

from collections import Counter

import keras
import numpy as np

_STATISTICS = ("moving_mean", "moving_variance", "gamma", "beta", "epsilon")


def fold_batch_norms(model: keras.Model) -> keras.Model:
    """Makes the same function at inference, with fewer operations.

    A batch norm that alone follows a convolution becomes part of it: its scale
    of the kernel, its offset of the bias, and TensorFlow runs convolution, bias
    and ReLU as one. The convolution becomes Keras's own. Numbers differ by
    rounding; layers that compute in bfloat16 or float16, which would differ by
    more, are left alone.

    Args:
        model: any; only functional ones are changed, not models inside them.

    Returns:
        A model with weights of its own, or the same one where there is
        nothing to fold.
    """
    norms = _foldable(model) if _is_functional(model) else {}
    if not norms:
        return model
    dropped = {norm.name for norm in norms.values()}

    def clone(layer):
        if layer.name in norms:
            # Of Keras's own, which has a bias.
            config = keras.layers.Conv2D.get_config(layer)
            return keras.layers.Conv2D.from_config({**config, "use_bias": True})
        return type(layer).from_config(layer.get_config())

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in dropped else layer(*args, **kwargs)

    twin = keras.models.clone_model(
        model, clone_function=clone, call_function=call
    )
    for layer in model.layers:
        if layer.name in norms:
            weights = _folded(layer, norms[layer.name])
            twin.get_layer(layer.name).set_weights(weights)
        elif layer.weights and layer.name not in dropped:
            copy = twin.get_layer(layer.name)
            copy.set_weights(layer.get_weights())
            if hasattr(copy, "finalize_state"):  # of preprocessing layers
                copy.finalize_state()
    return twin


def _is_functional(model):
    """Whether it is a graph of layers, each of which occurs once."""
    return (
        not isinstance(model, keras.Sequential)
        and bool(getattr(model, "outputs", None))
        and all(len(layer._inbound_nodes) == 1 for layer in model.layers)
    )


def _foldable(model):
    """The batch norm behind each convolution, by the convolution's name."""
    taken = Counter(
        id(tensor)
        for tensors in (*(x.input for x in model.layers), model.outputs)
        for tensor in keras.tree.flatten(tensors)
    )
    convolutions = {
        id(layer.output): layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
        and layer.data_format == "channels_last"
        and layer.activation is keras.activations.linear
        and layer.compute_dtype == "float32"
    }
    return {
        convolutions[id(norm.input)].name: norm
        for norm in model.layers
        if all(hasattr(norm, name) for name in _STATISTICS)
        and getattr(norm, "axis", -1) in (-1, 3)
        and id(norm.input) in convolutions
        and taken[id(norm.input)] == 1
    }


def _folded(convolution, norm):
    """Kernel and bias."""
    scale = 1 / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * np.asarray(norm.gamma)
    bias = -np.asarray(norm.moving_mean)
    if convolution.bias is not None:
        bias = bias + np.asarray(convolution.bias)
    bias = bias * scale
    if norm.beta is not None:
        bias = bias + np.asarray(norm.beta)
    return [np.asarray(convolution.kernel) * scale, bias]
