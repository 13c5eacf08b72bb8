"""Runs our training step as `train.py` does, on two given views."""

import functools

import keras
import numpy as np
import tensorflow as tf

from benchmarks.workers import protocol
from byol_tf import BYOL
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.optim.optimizers import make_optimizer
from byol_tf.runtime import share_cores, should_compile
from byol_tf.training import flops

SIZE = 32
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def prepare(case: dict) -> protocol.Repeated:
    """Uses the same images throughout, so that the loss has to fall."""
    views = tuple(map(tf.constant, two_views(case["batch"])))
    variants = {
        precision: functools.partial(_steps, case, views, policy)
        for precision, policy in POLICIES.items()
    }
    piece, info = protocol.fastest(variants)
    info["flops_per_image"] = flops.step(_model(case, "float32"))
    return protocol.Repeated(piece, case["batch"], case["seconds"], info)


def _steps(case, views, policy):
    model = _model(case, policy)
    step = tf.function(model.pretrain_step, jit_compile=should_compile("auto"))
    return lambda: float(step(views)["loss"])


def _model(case, policy):
    keras.utils.set_random_seed(0)
    model = BYOL(
        make_resnet(case["encoder"], (SIZE, SIZE, 3), dtype=policy),
        hidden_size=case["hidden"],
        projection_size=case["projection"],
        dtype=policy,
    )
    model.compile(make_optimizer("sgd", 0.05, momentum=0.9))
    model.optimizer.build(model.trainable_variables)
    return model


def two_views(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Makes two noisy copies of the same images, float32 in [0, 1]."""
    rng = np.random.default_rng(0)
    shape = (batch, SIZE, SIZE, 3)
    images = rng.uniform(0.2, 0.8, shape).astype(np.float32)
    first, second = rng.uniform(-0.2, 0.2, (2, *shape)).astype(np.float32)
    return images + first, images + second


if __name__ == "__main__":
    share_cores()
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras")
