"""Selects the weights of a network that training changes; copies others.

A weight is one of three kinds: a parameter, which gradients change; a moving
statistic of a batch norm; or a constant of the data, such as the mean of a
`Normalization` layer. The kind does not depend on what is frozen.
"""

import contextlib
import tempfile
from collections.abc import Iterator

import keras


def parameters(network: keras.Layer) -> list[keras.Variable]:
    """Returns the weights that gradients change, frozen or not, in order."""
    with _unfrozen(network):
        return list(network.trainable_weights)


def random_states(network: keras.Layer) -> list[keras.Variable]:
    """Returns seed and counter `[2]` of each layer that draws, as dropout."""
    return [v for v in network.variables if v.name == "seed_generator_state"]


def random_twin(
    network: keras.Model, architecture: dict | None = None
) -> keras.Model:
    """Makes a network again: random parameters, the same constants.

    Args:
        network: functional, sequential or of a class with `get_config`.
        architecture: None, or a serialized object to make instead of the class
            and configuration of `network`.
    """
    if architecture:
        twin = keras.saving.deserialize_keras_object(architecture)
    else:
        twin = type(network).from_config(network.get_config())
    if not twin.built:
        twin.build(network.input_shape)
    _copy_constants(network, twin)
    return twin


def copy_state(source: keras.Layer, twin: keras.Layer) -> None:
    """Copies all weights and tables to a network of the same architecture."""
    for old, new in zip(twin.weights, source.weights, strict=True):
        old.assign(new)
    copy_tables(source, twin)


def copy_frozen(source: keras.Layer, twin: keras.Layer) -> None:
    """Copies frozen weights, with the moving statistics of their layers."""
    for layer, other in _pairs(source, twin):
        if not layer.trainable:
            copy_state(layer, other)
    for new, old in zip(parameters(source), parameters(twin), strict=True):
        if not new.trainable:
            old.assign(new)


def unfreeze(network: keras.Layer) -> None:
    """Makes every layer trainable."""
    for layer in network._flatten_layers():
        # Keras ignores an assignment of the same value.
        layer.trainable = False
        layer.trainable = True


def follow_freezing(source: keras.Layer, twin: keras.Layer) -> None:
    """Freezes exactly the layers of `twin` that are frozen in `source`."""
    for layer, other in _pairs(source, twin):
        other.trainable = layer.trainable


def copy_tables(source: keras.Layer, twin: keras.Layer) -> None:
    """Copies vocabularies and their weights, which are not in `weights`."""
    for layer, other in _pairs(*map(_with_tables, (source, twin))):
        store = {}
        layer.save_own_variables(store)
        other.load_own_variables(store)
        with tempfile.TemporaryDirectory() as folder:
            layer.save_assets(folder)
            other.load_assets(folder)
    for layer in twin._flatten_layers():
        if hasattr(layer, "finalize_state"):  # of preprocessing layers
            layer.finalize_state()


def _copy_constants(source, twin):
    constants = map(_constants, (source, twin))
    for new, old in zip(*constants, strict=True):
        old.assign(new)
    copy_tables(source, twin)


def _constants(network):
    parameter_ids = {id(variable) for variable in parameters(network)}
    return [
        weight
        for weight in network.weights
        if id(weight) not in parameter_ids and not _is_statistic(weight)
    ]


def _is_statistic(weight):
    return weight.name.startswith("moving_") or weight.name == "updates"


def _pairs(source, twin):
    """Returns layers of both by position, outer ones first."""
    if isinstance(source, keras.Layer):
        source, twin = source._flatten_layers(), twin._flatten_layers()
    return zip(source, twin, strict=True)


def _with_tables(network):
    return [x for x in network._flatten_layers() if hasattr(x, "save_assets")]


@contextlib.contextmanager
def _unfrozen(network: keras.Layer) -> Iterator[None]:
    layers = [(x, x.trainable) for x in network._flatten_layers()]
    weights = [(weight, weight.trainable) for weight in network.weights]
    unfreeze(network)
    try:
        yield
    finally:
        for entry, trainable in (*layers, *weights):
            entry.trainable = trainable
