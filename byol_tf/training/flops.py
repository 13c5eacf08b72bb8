"""Floating-point operations of models, counted from their graphs.

Convolutions and matrix products count, a multiplication and an addition as
two; normalisation, activations and pooling are left out, being a few per cent.
Loops and branches of a graph are not looked into.
"""

import math
from collections.abc import Iterator

import keras
import tensorflow as tf

ONLINE = ("encoder", "projector", "predictor")
TARGET = ("target_encoder", "target_projector")


def step(model: keras.Model) -> float:
    """Operations of a step for one image, of networks named as in `BYOL`."""
    return of_passes(_passes(model, ONLINE), _passes(model, TARGET))


def of_passes(online: float, target: float) -> float:
    """Operations of a step by those of its passes: `2 (3 online + target)`.

    Both views pass all networks. The backward pass, through the online ones
    alone, takes twice their forward pass: gradients of inputs and of kernels.
    Views, probe, optimizer and the target's average are left out.
    """
    return 2.0 * (3.0 * online + target)


def forward(model: keras.Model, input_shape: tuple | None = None) -> float:
    """Operations of one input's way through a model.

    Args:
        model: built Keras model of one input.
        input_shape: without the batch; None for the model's own.

    Raises:
        ValueError: if a side of the input is not known.
    """
    shape = tuple(input_shape or model.input_shape[1:])
    if None in shape:
        raise ValueError(
            "`input_shape` must be given without None for a model of inputs "
            f"of any size. Received: {shape}"
        )
    call = tf.function(
        lambda inputs: model(inputs, training=False), autograph=False
    )
    inputs = tf.TensorSpec((1, *shape), tf.float32)
    return of_graph(call.get_concrete_function(inputs).graph)


def of_graph(graph: tf.Graph) -> float:
    """Operations of a graph whose shapes are known, gradients included."""
    return sum(
        2.0 * _MULTIPLICATIONS[operation.type](operation)
        for operation in _operations(graph)
        if operation.type in _MULTIPLICATIONS
    )


def _passes(model, names):
    networks = (getattr(model, name, None) for name in names)
    return sum(forward(n) for n in networks if isinstance(n, keras.Model))


def _operations(graph) -> Iterator[tf.Operation]:
    """Those of a graph and of the functions that it calls."""
    for operation in graph.get_operations():
        yield operation
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            called = operation.get_attr("f").name
            yield from _operations(graph._get_function(called).graph)


def _convolution(kernel: str, values: str, axes: int):
    """Every one of `values` meets the kernel's window, or its channels too.

    Args:
        kernel: where the kernel's shape is, such as "inputs 1".
        values: where the outputs are, or the gradients of outputs.
        axes: of the kernel that do not count.
    """

    def tensor(operation, place):
        kind, index = place.split()
        return getattr(operation, kind)[int(index)]

    def multiplications(operation):
        window = tensor(operation, kernel).shape[:-axes]
        return _size(tensor(operation, values)) * math.prod(window)

    return multiplications


def _product(transposed):
    def multiplications(operation):
        left = operation.inputs[0].shape
        side = -2 if operation.get_attr(transposed) else -1
        return _size(operation.outputs[0]) * left[side]

    return multiplications


def _einsum(operation):
    """The product of all sides that the equation names."""
    terms = operation.get_attr("equation").decode().split("->")[0].split(",")
    sides = {}
    for term, tensor in zip(terms, operation.inputs, strict=True):
        sides.update(zip(term, tensor.shape, strict=True))
    return math.prod(sides.values())


def _size(tensor):
    return math.prod(tensor.shape)


_MULTIPLICATIONS = {
    "Conv2D": _convolution("inputs 1", "outputs 0", 1),
    # Transposed convolutions are this operation too.
    "Conv2DBackpropInput": _convolution("inputs 1", "inputs 2", 1),
    "Conv2DBackpropFilter": _convolution("outputs 0", "inputs 2", 1),
    "DepthwiseConv2dNative": _convolution("inputs 1", "outputs 0", 2),
    "MatMul": _product("transpose_a"),
    "BatchMatMulV2": _product("adj_x"),
    "Einsum": _einsum,
}
