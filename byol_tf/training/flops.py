"""Floating-point operations of models, counted from their graphs.

Counts convolutions and matrix products, with multiplication and addition as two
operations. Leaves out normalisation, activations and pooling, which are a few
per cent, and loops and branches of a graph.
"""

import math
from collections.abc import Iterator

import keras
import tensorflow as tf

ONLINE = ("encoder", "projector", "predictor")
TARGET = ("target_encoder", "target_projector")


def step(model: keras.Model, view_shape: tuple | None = None) -> float:
    """Counts operations per image of a training step of a `BYOL`-like model.

    Args:
        model: the model.
        view_shape: shape of a view; None: that of the encoder's input.
    """
    networks = ONLINE, TARGET
    return of_passes(*(_passes(model, part, view_shape) for part in networks))


def of_passes(online: float, target: float) -> float:
    """Returns the operations of a step, `2 (3 online + target)`.

    Both views pass through all networks. The backward pass, only through the
    online networks, takes twice their forward pass: gradients of inputs and of
    kernels. Views, probe, optimizer and the target's moving average are left
    out.
    """
    return 2.0 * (3.0 * online + target)


def forward(model: keras.Model, input_shape: tuple | None = None) -> float:
    """Counts the operations of a forward pass for one input.

    Args:
        model: built Keras model with one input.
        input_shape: shape without the batch; None: the model's own.

    Raises:
        ValueError: if a dimension of the input is unknown.
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
    """Counts the operations of a graph with known shapes, gradients too."""
    return sum(
        2.0 * _MULTIPLICATIONS[operation.type](operation)
        for operation in _operations(graph)
        if operation.type in _MULTIPLICATIONS
    )


def _passes(model, names, view_shape):
    return sum(
        forward(network, view_shape if name == names[0] else None)
        for name in names
        if isinstance(network := getattr(model, name, None), keras.Model)
    )


def _operations(graph) -> Iterator[tf.Operation]:
    """Yields the operations of a graph and of the functions it calls."""
    for operation in graph.get_operations():
        yield operation
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            function_name = operation.get_attr("f").name
            yield from _operations(graph._get_function(function_name).graph)


def _convolution(kernel: str, values: str, axes: int):
    """Counts each of `values` as a sum over a part of the kernel's axes.

    Args:
        kernel: where the kernel's shape is found, such as "inputs 1".
        values: where the outputs, or the gradients of outputs, are found.
        axes: trailing axes of the kernel that do not count.
    """

    def tensor(operation, place):
        attribute, index = place.split()
        return getattr(operation, attribute)[int(index)]

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
    """Multiplies all dimensions that the equation names."""
    terms = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes = {}
    for term, tensor in zip(terms, operation.inputs, strict=True):
        sizes.update(zip(term, tensor.shape, strict=True))
    return math.prod(sizes.values())


def _size(tensor):
    return math.prod(tensor.shape)


_MULTIPLICATIONS = {
    "Conv2D": _convolution("inputs 1", "outputs 0", 1),
    # Transposed convolutions also use this operation.
    "Conv2DBackpropInput": _convolution("inputs 1", "inputs 2", 1),
    "Conv2DBackpropFilter": _convolution("outputs 0", "inputs 2", 1),
    "DepthwiseConv2dNative": _convolution("inputs 1", "outputs 0", 2),
    "MatMul": _product("transpose_a"),
    "BatchMatMulV2": _product("adj_x"),
    "Einsum": _einsum,
}
