"""Floating-point operations of a model, by formula.

Convolutions and dense layers are counted, a multiplication and an addition as
two; normalisation and activations are left out, being a few per cent.
"""

from collections.abc import Iterator


def forward(model) -> float:
    """Operations of one input's way through a built Keras model."""
    return sum(of_layer(layer) for layer in leaves(model))


def of_layer(layer) -> float:
    """Operations of one layer for one input; 0 if it has no kernel."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0.0
    positions = 1
    for side in layer.output.shape[1:-1]:
        positions *= side
    count = 2.0 * positions
    for side in kernel.shape:
        count *= side
    return count


def step(encoder, projector, predictor) -> float:
    """Operations of a BYOL step for one image.

    Of each of the two views: one forward pass of the target network, and of
    the online network a forward and a backward pass, which takes two.
    """
    target = forward(encoder) + forward(projector)
    online = target + forward(predictor)
    return 2.0 * (target + 3.0 * online)


def leaves(model) -> Iterator:
    """Layers that have no layers inside."""
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from leaves(layer)
        else:
            yield layer
