"""The machine: devices, versions, precision and compilation."""

import importlib.metadata
import os
import pathlib
import platform
import time

import tensorflow as tf

from byol_tf.checks import check_choice

PACKAGES = ("byol-tf", "tensorflow", "tensorflow-cpu", "keras", "numpy")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
_PROCESSORS = pathlib.Path("/proc/cpuinfo")


def dtype_policy(precision: str) -> str:
    """Returns the Keras dtype policy of a precision.

    Args:
        precision: a policy, or "auto" for `fastest_policy`, which lists the
            devices; afterwards, workers cannot be joined.

    Raises:
        ValueError: for anything else.
    """
    check_choice("precision", precision, PRECISIONS)
    return fastest_policy() if precision == "auto" else precision


def fastest_policy() -> str:
    """Returns the Keras dtype policy that this machine trains fastest with.

    That is bfloat16 if the hardware supports it: TPUs, GPUs since compute
    capability 8, processors with AMX, and AMD processors with AVX-512. With
    Intel's AVX-512 alone it was a fifth slower than float32
    (docs/performance.md), and without it many times slower.
    """
    if tf.config.list_logical_devices("TPU"):
        return "mixed_bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        fast = details.get("compute_capability", (0, 0)) >= (8, 0)
    else:
        text = _PROCESSORS.read_text() if _PROCESSORS.exists() else ""
        amd = "AuthenticAMD" in text and "avx512_bf16" in text
        fast = "amx_bf16" in text or amd
    return "mixed_bfloat16" if fast else "float32"


def should_compile(choice: bool | str) -> bool:
    """Returns whether to compile the whole training step with XLA.

    "auto" compiles on accelerators, but not on CPUs, where XLA's convolutions
    are slower than oneDNN's (the views are compiled anyway).

    Args:
        choice: True, False or "auto".

    Raises:
        ValueError: for anything else.
    """
    if isinstance(choice, bool):
        return choice
    if choice != "auto":
        raise ValueError(
            f"`jit_compile` must be True, False or 'auto'. Received: {choice!r}"
        )
    return has_accelerator()


def has_accelerator() -> bool:
    """Returns whether there is a GPU or a TPU."""
    return any(map(tf.config.list_logical_devices, ("GPU", "TPU")))


def share_cores() -> None:
    """Gives each view one core, on two cores without accelerator.

    TensorFlow runs ops of both views in parallel and splits each over all
    cores. On two cores it is a fifth faster not to split them
    (docs/log/speed.md).

    Raises:
        RuntimeError: if TensorFlow has already run an op.
    """
    accelerators = map(tf.config.list_physical_devices, ("GPU", "TPU"))
    if cores() != 2 or any(accelerators):
        return
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)


def cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_machine() -> dict:
    """Returns devices, processor, cores and package versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "cores": cores(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def make_deterministic() -> None:
    """Makes TensorFlow use only ops that repeat bit for bit.

    Other ops raise an error, and on a GPU some are slower. This holds for the
    whole process and cannot be undone.
    """
    tf.config.experimental.enable_op_determinism()
