"""Writes training steps as XLA programs, with the data to run them.

    python -m benchmarks.compiled.export FOLDER [NAME ...]

Each step has `NAME.hlo`, a serialised HloModuleProto, and `NAME.json`: its
inputs, its state, and which outputs are the new values of the state.
"""

import contextlib
import json
import pathlib
import re
import sys
from collections.abc import Callable, Iterator
from unittest import mock

import keras
import ml_collections
import numpy as np
import tensorflow as tf

from byol_tf import CentreView
from byol_tf.jobs.pretrain import build as builders
from byol_tf.jobs.pretrain import methods as objective_builders
from byol_tf.modalities.image import views
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.training import flops
from configs import cifar10, imagenet

UPDATES = 100_000  # length of the schedules
# Name: recipe, batch, side of the images, side of the views, and whether the
# step draws them.
CASES = {
    "cifar10": (cifar10, 256, 32, 32, True),
    "cifar10_given": (cifar10, 256, 32, 32, False),
    "cifar10_1024": (cifar10, 1024, 32, 32, True),
    "imagenet": (imagenet, 256, 256, 224, True),
    "imagenet_given": (imagenet, 256, 224, 224, False),
}


def main(folder: str, *names: str) -> None:
    """Writes the named steps, or all."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or CASES:
        recipe, batch, side, size, draws_views = CASES[name]
        config = recipe.get_config()
        config.batch_size, config.optimizer.accumulate_steps = batch, 1
        with for_a_gpu():
            model = make_model(config, size, draws_views)
            shape = (batch, side, side, 3)
            inputs = [np.zeros(shape, np.uint8)]
            if not draws_views:
                inputs = [np.zeros(shape, np.float32)] * 2
            info = {"batch": batch, "flops_per_image": flops.step(model)}
            write(folder / name, step_of(model, draws_views), inputs, info)
        print(f"Written: {folder / name}.hlo")


@contextlib.contextmanager
def for_a_gpu() -> Iterator[None]:
    """Lets layers in the block choose as if there were a GPU."""
    devices = tf.config.list_physical_devices

    def listed(kind=None):
        return ["a GPU"] if kind == "GPU" else devices(kind)

    with (
        mock.patch.object(tf.config, "list_physical_devices", listed),
        mock.patch.object(views, "has_accelerator", lambda: True),
    ):
        yield


def make_model(config: ml_collections.ConfigDict, size: int, draws_views: bool):
    """Makes a recipe's model with its optimizer, as `train.py` does."""
    keras.utils.set_random_seed(config.seed)
    model = objective_builders.make_model(
        config,
        IMAGE.encoder(config, CentreView(size), (size, size, 3)),
        IMAGE.views(config, CentreView(size)) if draws_views else None,
        tau=config.objective.tau,
        probe_classes=0,
    )
    model.compile(builders.optimizer(config, model, UPDATES))
    model.optimizer.build(model.trainable_variables)
    return model


def step_of(model, draws_views: bool) -> Callable:
    """Returns the step as a function of images, or of two views."""
    if draws_views:
        return lambda images: model.pretrain_step(images)
    return lambda view1, view2: model.pretrain_step((view1, view2))


def write(path: pathlib.Path, step: Callable, inputs: list, info: dict) -> None:
    """Writes a step.

    Args:
        path: path of the files, without a suffix.
        step: from tensors to scalars by name.
        inputs: arrays with the shapes and types of its inputs.
        info: JSON values to store.
    """
    inputs = [tf.constant(array) for array in inputs]
    function = tf.function(step, jit_compile=True)
    concrete = function.get_concrete_function(*inputs)
    program = function.experimental_get_compiler_ir(*inputs)
    head = program(stage="hlo").partition("\n")[0]
    variables = {id(v.handle): v for v in concrete.variables}
    description = {
        "inputs": [[list(x.shape), x.dtype.name] for x in inputs],
        "outputs": sorted(concrete.structured_outputs),
        # Pairs: an output is the new value of a parameter.
        "state": [
            [int(output), int(parameter)]
            for output, parameter in re.findall(
                r"\{(\d+)\}: \((\d+), \{\}", head
            )
        ],
        "parameters": [
            describe_parameter(captured, variables.get(id(captured)))
            for captured in concrete.captured_inputs
        ],
        "info": info,
    }
    path.with_suffix(".json").write_text(json.dumps(description))
    path.with_suffix(".hlo").write_bytes(program(stage="hlo_serialized"))


def describe_parameter(captured, variable) -> dict:
    """Describes a constant by its value, and a variable for measuring speed.

    Of a variable that is its value if all entries are equal, else their
    standard deviation.
    """
    tensor = captured if variable is None else variable.read_value()
    values = tf.cast(tensor, tf.float64).numpy()
    description = {"shape": list(tensor.shape), "dtype": tensor.dtype.name}
    if variable is None or np.ptp(values) == 0:
        flat = values.ravel().tolist()
        return {**description, "value": flat if variable is None else flat[:1]}
    return {**description, "deviation": float(values.std())}


if __name__ == "__main__":
    main(*sys.argv[1:])
