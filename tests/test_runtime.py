"""What is told of the machine, and what follows from it."""

import importlib
import os
import platform

import pytest
import tensorflow as tf

import byol_tf
from byol_tf import runtime
from byol_tf.jobs.pretrain import build as builders
from configs import quickstart

INTEL = "vendor_id : GenuineIntel\nflags : avx2 avx512f "
AMD = "vendor_id : AuthenticAMD\nflags : avx2 avx512f "


@pytest.mark.parametrize(
    "processors,policy",
    [
        (INTEL, "float32"),
        (INTEL + "avx512_bf16", "float32"),
        (INTEL + "avx512_bf16 amx_bf16", "mixed_bfloat16"),
        (AMD, "float32"),
        (AMD + "avx512_bf16", "mixed_bfloat16"),
        (None, "float32"),
    ],
)
def test_bfloat16_is_for_processors_that_multiply_it_faster(
    tmp_path, monkeypatch, processors, policy
):
    path = tmp_path / "cpuinfo"
    if processors:
        path.write_text(processors)
    monkeypatch.setattr(runtime, "_PROCESSORS", path)
    assert runtime.dtype_policy("auto") == policy


@pytest.mark.parametrize(
    "details,policy",
    [
        ({"compute_capability": (9, 0)}, "mixed_bfloat16"),
        ({"compute_capability": (7, 5)}, "float32"),
        ({}, "float32"),
    ],
)
def test_bfloat16_is_for_gpus_that_have_it(monkeypatch, details, policy):
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind=None: ["a GPU"] if kind == "GPU" else [],
    )
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: details
    )
    assert runtime.fastest_policy() == policy


def test_a_precision_that_is_named_is_taken():
    assert runtime.dtype_policy("mixed_float16") == "mixed_float16"


def test_another_precision_is_refused_with_the_choice():
    with pytest.raises(ValueError, match=r"auto, float32.*float8"):
        runtime.dtype_policy("float8")


def test_a_configuration_is_checked_without_looking_at_the_devices(
    monkeypatch,
):
    def look(kind=None):
        raise AssertionError("workers cannot be joined after this")

    config = quickstart.get_config()
    assert config.precision == "auto"
    monkeypatch.setattr(tf.config, "list_logical_devices", look)
    monkeypatch.setattr(tf.config, "list_physical_devices", look)
    builders.check(config)


@pytest.fixture
def threads(monkeypatch):
    """What is set, by name."""
    found = {}
    for name in ("intra", "inter"):
        monkeypatch.setattr(
            tf.config.threading,
            f"set_{name}_op_parallelism_threads",
            lambda count, name=name: found.update({name: count}),
        )
    return found


def test_on_two_cores_each_view_has_one(monkeypatch, threads):
    monkeypatch.setattr(runtime, "cores", lambda: 2)
    runtime.share_cores()
    assert threads == {"intra": 1, "inter": 2}


@pytest.mark.parametrize("cores", [1, 3, 16])
def test_other_numbers_of_cores_are_left_to_tensorflow(
    monkeypatch, threads, cores
):
    monkeypatch.setattr(runtime, "cores", lambda: cores)
    runtime.share_cores()
    assert not threads


def test_an_accelerator_keeps_tensorflow_s_threads(monkeypatch, threads):
    monkeypatch.setattr(runtime, "cores", lambda: 2)
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind: [kind] * (kind == "GPU"),
    )
    runtime.share_cores()
    assert not threads


@pytest.mark.parametrize(
    "machine,given,found",
    [
        ("x86_64", None, "1"),
        ("AMD64", None, "1"),
        ("x86_64", "0", "0"),
        ("arm64", None, None),
    ],
)
def test_onednn_is_on_for_x86_unless_it_is_set(
    monkeypatch, machine, given, found
):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    # So that it is as before afterwards, whatever is set in between.
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", given or "")
    if given is None:
        del os.environ["TF_ENABLE_ONEDNN_OPTS"]
    importlib.reload(byol_tf)
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == found
