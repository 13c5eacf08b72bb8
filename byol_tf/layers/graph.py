"""Rebuilds functional models layer by layer, as one flat graph."""

import contextlib
import functools
import random
from collections.abc import Callable, Sequence

import keras

from byol_tf.layers.parameters import copy_tables

# Class, configuration and weights of the replacement of a layer.
Recipe = tuple[type, dict, list]


def copy_recipe(layer: keras.Operation) -> Recipe:
    """Returns the recipe of a copy."""
    weights = layer.get_weights() if hasattr(layer, "get_weights") else []
    return type(layer), layer.get_config(), weights


def rebuild(
    model: keras.Model,
    recipe: Callable[[keras.Operation], Recipe] = copy_recipe,
    input_shape: Sequence[int | None] | None = None,
) -> keras.Model:
    """Copies a functional model, flattening functional models inside it.

    Layers keep their names, except for those of inner models whose name is
    taken: these get the inner model's name as a prefix. Draws no random
    numbers.

    Args:
        model: functional or sequential, built.
        recipe: returns the recipe of a layer's replacement.
        input_shape: shape of one example, in place of the model's own. The
            number of axes and the channels (last axis) must be the model's.

    Returns:
        A functional `keras.Model` of the same name with its own weights.

    Raises:
        ValueError: if the model is no graph of layers, or the shape does not
            fit.
    """
    return _retrace(model, functools.partial(_Copies, recipe), input_shape)


def sharing(model: keras.Model, input_shape: Sequence[int]) -> keras.Model:
    """Makes a model for another input shape that shares the layers.

    Args:
        model: functional or sequential, built.
        input_shape: shape of one example; axes and channels must be the
            model's.

    Returns:
        A functional `keras.Model` with the layers of `model`.

    Raises:
        ValueError: if the model is no graph of layers, or the shape does not
            fit.
    """
    return _retrace(model, _SameLayers, input_shape)


def _retrace(model, make_layers, input_shape):
    graph = functional_graph(model)
    if graph is None:
        raise ValueError(
            f"`{model.name}` must be a functional or sequential model that has "
            f"been built. Received: {type(model).__name__}; wrap it in "
            "keras.Model(inputs, outputs)"
        )
    if input_shape is not None:
        _check_shape(model, input_shape)

    def new_input(tensor):
        shape = tensor.shape[1:] if input_shape is None else input_shape
        return keras.Input(tuple(shape), name=tensor.name, dtype=tensor.dtype)

    with _preserved_random_state():
        inputs = keras.tree.map_structure(new_input, graph.input)
        layers = make_layers({layer.name for layer in graph.operations})
        outputs = layers.run(graph, inputs)
        layers.set_weights()
        return keras.Model(
            inputs, outputs, name=model.name, trainable=model.trainable
        )


def functional_graph(layer: keras.Operation):
    """Returns the graph of a functional or built sequential model, or None.

    A subclass with its own `call` computes something else than its graph.
    """
    if isinstance(layer, keras.Sequential):
        call, layer = type(layer).call, getattr(layer, "_functional", None)
        if call is not keras.Sequential.call:
            return None
    if not hasattr(layer, "_run_through_graph"):
        return None
    functional = type(layer).call.__qualname__ == "Functional.call"
    return layer if functional else None


class _Copies:
    """The new layers of a graph, each made once."""

    def __init__(self, recipe, names):
        self._recipe = recipe
        self._taken_names = names
        self._copies = {}
        self._weights = []

    def run(self, graph, inputs, prefix=""):
        def copy(layer):
            if functional_graph(layer) is not None:
                return layer
            if id(layer) not in self._copies:
                self._copies[id(layer)] = self._make(layer, prefix)
            return self._copies[id(layer)]

        def call(layer, *args, **kwargs):
            inner = functional_graph(layer)
            if inner is None:
                # Keras layers record masks of None; their replacements may not
                # take masks.
                arguments = {k: v for k, v in kwargs.items() if v is not None}
                return layer(*args, **arguments)
            return self.run(inner, *args, prefix=layer.name)

        return graph._run_through_graph(inputs, copy, call)

    def _make(self, layer, prefix):
        layer_class, config, weights = self._recipe(layer)
        while prefix and config["name"] in self._taken_names:
            config = {**config, "name": f"{prefix}_{config['name']}"}
        self._taken_names.add(config["name"])
        copy = layer_class.from_config(config)
        if isinstance(layer, keras.Layer) and isinstance(layer, layer_class):
            copy_tables(layer, copy)
        self._weights.append((copy, weights, _postponed_draws(copy)))
        return copy

    def set_weights(self):
        for layer, weights, initializers in self._weights:
            vars(layer).update(initializers)
            if weights:
                layer.set_weights(weights)
            if hasattr(layer, "finalize_state"):  # for preprocessing layers
                layer.finalize_state()


class _SameLayers(_Copies):
    """The layers of a graph as they are."""

    def __init__(self, names):
        super().__init__(None, names)

    def _make(self, layer, prefix):
        return layer


def _postponed_draws(layer):
    """Makes a layer start with zeros; returns its initializers by name.

    Its weights are set afterwards, and drawing them took half of the time.
    """
    initializers = {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, keras.initializers.Initializer)
    }
    vars(layer).update(dict.fromkeys(initializers, keras.initializers.Zeros()))
    return initializers


@contextlib.contextmanager
def _preserved_random_state():
    # Keras seeds every initializer from here, used or not.
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _check_shape(model, shape):
    model_shape = model.input_shape
    if not isinstance(model_shape, tuple) or (
        len(shape) != len(model_shape) - 1 or shape[-1] != model_shape[-1]
    ):
        raise ValueError(
            f"`input_shape` must be {len(model_shape) - 1} numbers with "
            f"{model_shape[-1]} at the end, as of `{model.name}`. Received: "
            f"{tuple(shape)}"
        )
