"""Which tests are slow, that their files begin first, and how XLA compiles."""

import gc
import os
import pathlib

import pytest

# XLA compiles the same operations in half the time where LLVM does not optimise
# them; results differ by float32 rounding (5e-7 for views). TensorFlow reads it
# when it is imported, in the processes that tests start as well.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true",
)
# As `import byol_tf` does; some tests import TensorFlow first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

TESTS = pathlib.Path(__file__).parent
# Files whose tests train, export or compile, one after the other. Single tests
# of other files are marked where they stand.
SLOW = (
    "evaluation/detection/test_average_precision.py",
    "export/test_fold.py",
    "export/test_formats.py",
    "export/test_gif.py",
    "hostile/test_images.py",
    "jobs/convert/test_conversion.py",
    "jobs/embed/test_run.py",
    "jobs/evaluate/test_run.py",
    "jobs/export/test_detection.py",
    "jobs/export/test_export.py",
    "jobs/export/test_predictions.py",
    "jobs/finetune/test_levels.py",
    "jobs/finetune/test_run.py",
    "jobs/pretrain/test_length.py",
    "jobs/pretrain/test_methods.py",
    "jobs/pretrain/test_plan.py",
    "jobs/pretrain/test_run.py",
    "jobs/pretrain/test_start.py",
    "jobs/test_photos.py",
    "jobs/tune/test_run.py",
    "methods/test_relatives.py",
    "modalities/audio/test_transcribing.py",
    "modalities/image/test_bands.py",
    "modalities/image/test_cut.py",
    "modalities/image/test_efficientnet_lite.py",
    "modalities/image/test_one_by_one.py",
    "modalities/image/test_several_sizes.py",
    "modalities/image/test_supervised.py",
    "modalities/image/test_views.py",
    "modalities/test_image.py",
    "modalities/test_levels.py",
    "modalities/test_toy_jobs.py",
    "modalities/text/test_jobs.py",
    "optim/test_finite_update.py",
    "runs/test_encoder.py",
    "runs/test_moved_folder.py",
    "runs/test_release_folder.py",
    "scripts/test_convert.py",
    "scripts/test_eval_linear.py",
    "scripts/test_finetune.py",
    "scripts/test_serve.py",
    "scripts/test_tune.py",
    "serving/test_lifecycle.py",
    "serving/test_rest.py",
    "training/test_flops.py",
    "training/test_health.py",
    "training/test_two_runs.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of slow files, and puts files with slow tests first.

    Processes that take whole files in this order (`--dist loadfile
    --no-loadscope-reorder`) end at about the same time: what is left at the
    end is short.
    """
    for item in items:
        if item.path.is_relative_to(TESTS):
            name = item.path.relative_to(TESTS).as_posix()
            if name in SLOW:
                item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Spares the garbage collector what lives as long as the process.

    TensorFlow and the tests are a million objects: to look through them costs
    a quarter of a second, one time in ten seconds of tests.
    """
    gc.freeze()
