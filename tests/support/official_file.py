"""Files in the official checkpoint's format, and a NumPy encoder of them.

Written after the names in the official files and the definition of ResNets,
without a line of the package.
"""

import collections
import pathlib
import pickle
import sys
import types
from unittest import mock

import numpy as np

DATA = pathlib.Path(__file__).parents[1] / "data"
TINY = DATA / "official_tiny_checkpoint.pkl"

HEADS = {"projector/linear": {"w": (8, 4), "b": (4,)}}


def shapes(root, blocks, widths, *, bottleneck, v2=False, stem=64, plain=False):
    """`{module: {variable: shape}}` of an official encoder.

    Args:
        plain: without a projection in the first stage, as ResNet-18 and 34.
    """
    found = collections.defaultdict(dict)

    def conv(name, size, inputs, outputs):
        found[f"{root}/~/{name}"]["w"] = (size, size, inputs, outputs)

    def norm(name, channels):
        for variable in ("scale", "offset"):
            found[f"{root}/~/{name}"][variable] = (1, 1, 1, channels)

    conv("initial_conv", 7, 3, stem)
    if not v2:
        norm("initial_batchnorm", stem)
    inputs = stem
    for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
        outputs = width * 4 if bottleneck else width
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        for block in range(count):
            place = f"block_group_{stage}/~/block_{block}/~"
            if not block and not (plain and not stage):
                conv(f"{place}/shortcut_conv", 1, inputs, outputs)
                if not v2:
                    norm(f"{place}/shortcut_batchnorm", outputs)
            last = inputs
            for index, size in enumerate(sizes):
                to = outputs if index == len(sizes) - 1 else width
                conv(f"{place}/conv_{index}", size, last, to)
                norm(f"{place}/batchnorm_{index}", last if v2 else to)
                last = to
            inputs = outputs
    if v2:
        norm("final_batchnorm", inputs)
    return dict(found)


def random_checkpoint(shape_of, seed=0, counter=50):
    """`(params, state)` of random numbers that keep activations moderate."""
    rng = np.random.default_rng(seed)
    params, state = {}, {}
    for module, variables in {**shape_of, **HEADS}.items():
        params[module] = {}
        for name, shape in variables.items():
            value = rng.standard_normal(shape, np.float32) * np.float32(0.1)
            if name == "w":
                value *= 10.0 / np.sqrt(np.prod(shape[:-1]), dtype=np.float32)
            params[module][name] = value + (name == "scale")
        if "scale" in variables:
            shape = variables["scale"]
            for average, value in (
                ("mean_ema", 0.1 * rng.standard_normal(shape, np.float32)),
                ("var_ema", rng.uniform(0.5, 2, shape).astype(np.float32)),
            ):
                state[f"{module}/~/{average}"] = {
                    "average": value,
                    "counter": np.int32(counter),
                    "hidden": value * np.float32(1 - 0.9**counter),
                }
    return params, state


class FlatMapping:
    """Stands for haiku's class of this name while a file is written."""

    def __init__(self, mapping):
        self.mapping = mapping

    def __reduce__(self):
        return FlatMapping, (self.mapping,)


def _create_namedtuple(name, fields, module):
    """Stands for dill's function, by which it writes a named tuple's class."""
    return collections.namedtuple(name, fields, module=module)


FlatMapping.__module__ = "haiku._src.data_structures"
_create_namedtuple.__module__ = "dill._dill"
State = collections.namedtuple(
    "_ByolExperimentState",
    ("online_params", "target_params", "online_state", "target_state"),
)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value):
        if value is State:
            arguments = (State.__name__, State._fields, "byol.byol_experiment")
            return _create_namedtuple, arguments
        return NotImplemented


def write(path, params, state, protocol=2, **other):
    """A file that names haiku's and dill's classes, as the official ones."""
    params, state = FlatMapping(params), FlatMapping(state)
    content = {"experiment_state": State(params, params, state, state)}
    names = ("haiku", "haiku._src", "dill", FlatMapping.__module__)
    modules = {name: types.ModuleType(name) for name in (*names, "dill._dill")}
    modules[FlatMapping.__module__].FlatMapping = FlatMapping
    modules["dill._dill"]._create_namedtuple = _create_namedtuple
    with mock.patch.dict(sys.modules, modules), open(path, "wb") as file:
        _Pickler(file, protocol).dump({**content, "step": 7, **other})
    return path


class Encoder:
    """An official encoder at inference, in float64 NumPy."""

    def __init__(self, params, state):
        self.params = {
            module.split("/~/", 1)[1]: variables
            for module, variables in params.items()
            if "res_net" in module
        }
        self.state = {
            module.split("/~/", 1)[1]: parts
            for module, parts in state.items()
            if "res_net" in module
        }
        self.v2 = "final_batchnorm" in self.params

    def __call__(self, images):
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        x = (np.asarray(images, np.float64) - mean) / std
        x = self.conv(x, "initial_conv", 2)
        if not self.v2:
            x = relu(self.norm(x, "initial_batchnorm"))
        x = windows(x, 3, 2, -np.inf).max((3, 4))
        stages = sorted(
            {name.split("/")[0] for name in self.params}
            - {"initial_conv", "initial_batchnorm", "final_batchnorm"}
        )
        for stage in stages:
            block = 0
            while f"{stage}/~/block_{block}/~/conv_0" in self.params:
                stride = 2 if stage[-1] != "0" and not block else 1
                x = self.block(x, f"{stage}/~/block_{block}/~/", stride)
                block += 1
        if self.v2:
            x = relu(self.norm(x, "final_batchnorm"))
        return x.mean((1, 2))

    def block(self, x, place, stride):
        bottleneck = f"{place}conv_2" in self.params
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        projects = f"{place}shortcut_conv" in self.params
        shortcut = x
        if projects and not self.v2:
            shortcut = self.conv(x, f"{place}shortcut_conv", stride)
            shortcut = self.norm(shortcut, f"{place}shortcut_batchnorm")
        for index, step in enumerate(strides):
            conv, norm = f"{place}conv_{index}", f"{place}batchnorm_{index}"
            if self.v2:
                x = relu(self.norm(x, norm))
                if projects and not index:
                    shortcut = self.conv(x, f"{place}shortcut_conv", stride)
                x = self.conv(x, conv, step)
            else:
                x = self.norm(self.conv(x, conv, step), norm)
                x = relu(x) if index < len(strides) - 1 else x
        return x + shortcut if self.v2 else relu(x + shortcut)

    def conv(self, x, name, stride):
        kernel = self.params[name]["w"]
        taken = windows(x, kernel.shape[0], stride, 0.0)
        return np.einsum("bijhwc,hwco->bijo", taken, kernel, optimize=True)

    def norm(self, x, name):
        mean = self.state[f"{name}/~/mean_ema"]["average"]
        variance = self.state[f"{name}/~/var_ema"]["average"]
        scale, offset = (self.params[name][k] for k in ("scale", "offset"))
        scale = scale / np.sqrt(np.asarray(variance, np.float64) + 1e-5)
        return (x - mean) * scale + offset


def relu(x):
    return np.maximum(x, 0)


def windows(x, size, stride, outside):
    """SAME windows, `[batch, rows, columns, size, size, channels]`."""
    pads = [(0, 0)]
    for length in x.shape[1:3]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    x = np.pad(x, [*pads, (0, 0)], constant_values=outside)
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    return view[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
