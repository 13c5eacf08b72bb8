"""Finds feature maps inside an encoder, named by their stride."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras

from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.layers.graph import functional_graph, rebuild

# Side in pixels at which strides are measured: padding hardly matters there.
_SIDE = 1024
_ROUNDING = 0.2  # tolerance of log2 of a stride, for padding other than SAME
_BORDERS = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)
_NORMS = (
    FusedBatchNormalization,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
)
_POINTWISE = (*_NORMS, keras.layers.Activation, keras.layers.ReLU)


def find_levels(model: keras.Model) -> dict[str, tuple[str, int]]:
    """Finds the last feature map of every stride in the graph of a model.

    "P3" is the last map whose sides are 1/8 of the input's. Where branches run
    in parallel, it is the last map at which all of them meet. The sum that ends
    a pre-activated stage counts as its last map, since the norm after it
    belongs to the next stage.

    Args:
        model: functional model with one input `[batch, height, width,
            channels]`, or with another number of axes between.

    Returns:
        `{"P1": (name of the layer, 2), "P2": (name, 4), ...}`, by stride; empty
        if there are no such maps.
    """
    if functional_graph(model) is None or len(model.inputs) != 1:
        return {}
    steps = _steps(flat(model))
    last_steps = {}
    for index, step in enumerate(steps):
        previous = last_steps.get(step.level)
        if step.level > 0 and (
            step.meets or previous is None or not steps[previous].meets
        ):
            last_steps[step.level] = index
    last = max(last_steps, default=0)
    return {
        f"P{level}": (steps[_end(steps, index, level == last)].name, 2**level)
        for level, index in sorted(last_steps.items())
    }


def outputs_of(
    model: keras.Model,
    levels: Mapping[str, tuple[str, int]],
    names: Sequence[str],
    input_shape: Sequence[int | None] | None = None,
) -> keras.Model:
    """Makes a model from the encoder's input to some of its levels.

    Args:
        model: functional model.
        levels: levels of the model, see `find_levels`.
        names: names of the wanted levels, at least one.
        input_shape: shape of one example, such as `(height, width, channels)`;
            None: the encoder's own.

    Returns:
        A model whose output is a dict from names to feature maps, in the
        layers' dtype. It shares its layers with `model`. It has copies of the
        weights if the input shape differs, or if `model` contains other models.

    Raises:
        ValueError: if a level is missing, or the shape does not fit.
    """
    missing = [name for name in names if name not in levels]
    if missing or not names:
        available = ", ".join(
            f"{key} (stride {levels[key][1]})" for key in levels
        )
        raise ValueError(
            f"`{model.name}` has the levels: {available or 'none'}. Received: "
            f"{', '.join(missing) or 'no name'}; ask for some of those"
        )
    if input_shape and tuple(input_shape) != model.input_shape[1:]:
        model = rebuild(model, input_shape=input_shape)
    model = flat(model)
    layers = {layer.name: layer for layer in model.operations}
    outputs = {name: layers[levels[name][0]].output for name in names}
    return keras.Model(model.input, outputs, name=f"{model.name}_levels")


def flat(model: keras.Model) -> keras.Model:
    """Splices nested models into their parent, as `to_plain` needs it.

    Returns:
        A copy with weights of its own; the model itself if none are nested.
    """
    graph = functional_graph(model)
    nested = any(functional_graph(layer) for layer in graph.operations)
    return rebuild(model) if nested else model


class _Step(NamedTuple):
    """One layer of a graph, in the order of execution."""

    layer: keras.Operation
    reads: list[int]  # steps whose outputs are its inputs
    level: int  # log2 of the stride; 0 if its output is no such map
    meets: bool  # whether every path from input to output passes here

    @property
    def name(self):
        return self.layer.name


def _steps(model):
    try:
        trace = _trace(model, _SIDE)
    except ValueError:  # raised by layers that take only one size
        trace = _trace(model, None)
    last_read = {}
    for index, (_, reads, _) in enumerate(trace):
        last_read |= dict.fromkeys(reads, index)
    # What was computed so far is read up to here, at first the input.
    steps, open_until = [], last_read.get(-1, 0)
    for index, (layer, reads, level) in enumerate(trace):
        steps.append(_Step(layer, reads, level, open_until <= index))
        open_until = max(open_until, last_read.get(index, 0))
    return steps


def _trace(model, side):
    """Returns layer, inputs (step numbers; -1: input) and level per step."""
    image = model.inputs[0]
    _, *sides, channels = image.shape
    probe = keras.KerasTensor(
        (None, *([side] * len(sides) if side else sides), channels), image.dtype
    )
    # Tensors are kept, since the id of a deleted one may be used again.
    steps, origin = [], {id(probe): (-1, probe)}

    def run(layer, *args, **kwargs):
        outputs = layer.compute_output_spec(*args, **kwargs)
        arguments = keras.tree.flatten((args, kwargs))
        reads = [origin[id(x)][0] for x in arguments if id(x) in origin]
        for tensor in keras.tree.flatten(outputs):
            origin[id(tensor)] = len(steps), tensor
        steps.append((layer, reads, _level(layer, outputs, probe)))
        return outputs

    functional_graph(model)._run_through_graph(probe, call_fn=run)
    return steps


def _level(layer, outputs, probe):
    """Returns log2 of the stride of a map that may be a level, or 0."""
    shape = getattr(outputs, "shape", ())
    # A layer that runs twice has no single output.
    if isinstance(layer, _BORDERS) or not hasattr(layer, "output"):
        return 0
    sides = list(zip(probe.shape[1:-1], shape[1:-1], strict=False))
    is_known = sides and all(input_side and side for input_side, side in sides)
    if len(shape) != len(probe.shape) or not is_known:
        return 0
    exact = [math.log2(input_side / side) for input_side, side in sides]
    level = round(exact[0])
    fits = all(abs(value - level) < _ROUNDING for value in exact)
    return level if fits and min(shape[1:-1]) > 1 else 0


def _end(steps, index, last):
    """Finds the sum before a norm and activation that open the next stage."""
    position, has_norm = index, False
    while position >= 0 and isinstance(steps[position].layer, _POINTWISE):
        has_norm |= isinstance(steps[position].layer, _NORMS)
        position = steps[position].reads[0]
    is_end = has_norm and position >= 0 and len(steps[position].reads) > 1
    return position if is_end and not last else index
