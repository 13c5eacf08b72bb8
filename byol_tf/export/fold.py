"""Folds batch norms into the preceding convolutions."""

from collections import Counter

import keras
import numpy as np

_STATISTICS = ("moving_mean", "moving_variance", "gamma", "beta", "epsilon")


def fold_batch_norms(model: keras.Model) -> keras.Model:
    """Makes an equal function for inference, with fewer operations.

    A batch norm that is the only consumer of a convolution becomes part of it:
    its scale of the kernel, its offset of the bias. TensorFlow then runs
    convolution, bias and ReLU as one op. The convolution becomes Keras's own.
    Numbers differ by rounding. Layers in bfloat16 or float16, which would
    differ by more, are not changed.

    Args:
        model: any model; only functional ones are changed, and not models
            inside them.

    Returns:
        A model with its own weights, or the same one if there is nothing to
        fold.
    """
    norms = _foldable(model) if _is_functional(model) else {}
    if not norms:
        return model
    norm_names = {norm.name for norm in norms.values()}

    def clone(layer):
        if layer.name in norms:
            # Keras's own convolution, which has a bias.
            config = keras.layers.Conv2D.get_config(layer)
            return keras.layers.Conv2D.from_config({**config, "use_bias": True})
        return type(layer).from_config(layer.get_config())

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in norm_names else layer(*args, **kwargs)

    twin = keras.models.clone_model(
        model, clone_function=clone, call_function=call
    )
    for layer in model.layers:
        if layer.name in norms:
            weights = _folded(layer, norms[layer.name])
            twin.get_layer(layer.name).set_weights(weights)
        elif layer.weights and layer.name not in norm_names:
            copy = twin.get_layer(layer.name)
            copy.set_weights(layer.get_weights())
            if hasattr(copy, "finalize_state"):  # for preprocessing layers
                copy.finalize_state()
    return twin


def _is_functional(model):
    """Returns whether it is a graph of layers that each occur once."""
    return (
        not isinstance(model, keras.Sequential)
        and bool(getattr(model, "outputs", None))
        and all(len(layer._inbound_nodes) == 1 for layer in model.layers)
    )


def _foldable(model):
    """Returns the batch norm after each convolution, by its name."""
    consumers = Counter(
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
        and consumers[id(norm.input)] == 1
    }


def _folded(convolution, norm):
    """Returns kernel and bias."""
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
