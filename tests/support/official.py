"""Reads the numbers of the official BYOL code into our model and back."""

import ast
import os
import pathlib
import re

import numpy as np

import byol_tf
from byol_tf.modalities.image.resnet import ResNet
from byol_tf.optim.schedules import scaled_learning_rate

DEFAULT = pathlib.Path(__file__).parents[1] / "data" / "byol_official.npz"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Ours on the left, the official code's on the right.
HEAD_LAYERS = {
    "linear": "hidden",
    "batch_norm": "norm",
    "linear_1": "output",
}
VARIABLES = {"w": "kernel", "b": "bias", "scale": "gamma", "offset": "beta"}


def load() -> dict[str, np.ndarray]:
    """The vectors, or those of the file that BYOL_CONFORMANCE names."""
    path = os.environ.get("BYOL_CONFORMANCE", DEFAULT)
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def config(vectors, group):
    return ast.literal_eval(str(vectors[f"{group}/config"]))


def group(vectors, prefix) -> dict[str, np.ndarray]:
    """The entries below `prefix/`, with the prefix removed."""
    prefix += "/"
    return {
        key[len(prefix) :]: value
        for key, value in vectors.items()
        if key.startswith(prefix)
    }


def our_name(key: str) -> tuple[str, str, str]:
    """`(network, layer, variable)` of an official parameter's name."""
    *modules, variable = [part for part in key.split("/") if part != "~"]
    variable = VARIABLES[variable]
    if modules == ["classifier"]:
        return "probe", "", variable
    if modules[0] in ("projector", "predictor"):
        return modules[0], HEAD_LAYERS[modules[1]], variable
    layer = "_".join(modules[1:]).replace("block_group_", "stage")
    layer = layer.replace("block_", "block").replace("initial", "stem")
    layer = layer.replace("batchnorm", "norm")
    layer = re.sub(r"(conv|norm)_(\d+)$", r"\2_\1", layer)
    return "encoder", layer, variable


def variable_of(model, key, target=False):
    """Our variable for an official parameter's name."""
    network, layer, variable = our_name(key)
    if target:
        network = f"target_{network}"
    owner = getattr(model, network)
    if layer:
        owner = owner.get_layer(layer)
    return getattr(owner, variable)


def build_model(vectors) -> byol_tf.BYOL:
    """Our model with the sizes and the initial parameters of the vectors."""
    sizes = config(vectors, "tiny")
    online = group(vectors, "tiny/init/online")
    target = group(vectors, "tiny/init/target")
    model = byol_tf.BYOL(
        _encoder_like(online, sizes["size"]),
        hidden_size=sizes["hidden"],
        projection_size=sizes["dim"],
        tau=byol_tf.CosineTau(sizes["base_ema"], sizes["total_steps"]),
        probe_classes=sizes["num_classes"],
    )
    for key, value in online.items():
        assign(variable_of(model, key), value)
    for key, value in target.items():
        if our_name(key)[0] in ("encoder", "projector"):
            assign(variable_of(model, key, target=True), value)
    rate = byol_tf.WarmupCosine(
        scaled_learning_rate(sizes["base_lr"], sizes["batch"]),
        sizes["total_steps"],
        sizes["warmup_steps"],
    )
    model.compile(byol_tf.LARS(rate, weight_decay=sizes["weight_decay"]))
    return model


def assign(variable, value):
    variable.assign(value.reshape(variable.shape))


def _encoder_like(parameters, size):
    """The encoder whose shapes the parameters have."""
    shapes = {}
    for key, value in parameters.items():
        network, layer, variable = our_name(key)
        if network == "encoder" and variable == "kernel":
            shapes[layer] = value.shape
    blocks = {}
    for layer in shapes:
        found = re.match(r"stage(\d+)_block(\d+)_", layer)
        if found:
            stage, block = map(int, found.groups())
            blocks[stage] = max(blocks.get(stage, 0), block + 1)
    return ResNet(
        (size, size, shapes["stem_conv"][2]),
        blocks=[blocks[stage] for stage in sorted(blocks)],
        widths=[shapes[f"stage{s}_block0_0_conv"][-1] for s in sorted(blocks)],
        block=("bottleneck" if "stage0_block0_2_conv" in shapes else "basic"),
        stem="imagenet",
        stem_width=shapes["stem_conv"][-1],
        always_project="stage0_block0_shortcut_conv" in shapes,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )
