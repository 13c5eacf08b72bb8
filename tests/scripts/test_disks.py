"""Commands on a disk that is full, or that may only be read."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.support.disks import disk, remount_to_be_read
from tests.support.runs import make_run
from tests.support.scripts import (
    ROOT,
    TINY,
    assert_one_clear_line,
    run_script,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disks")
    make_run(folder)
    (folder / "images").mkdir()
    for index in range(40):
        noise = np.random.default_rng(index).integers(0, 256, (12, 12, 3))
        image = Image.fromarray(noise.astype(np.uint8))
        image.save(folder / "images" / f"{index}.png")
    (folder / "disk").mkdir()
    return folder


@pytest.mark.parametrize(
    "script, flags",
    [
        ("train", [f"--config={ROOT}/configs/quickstart.py"]),
        ("compare", ["--config.base=quickstart"]),
        ("tune", ["--config.base=quickstart"]),
        ("export", ["--workdir=run"]),
        ("embed", ["--workdir=run", "--images=images"]),
    ],
)
def test_a_disk_that_may_only_be_read_is_named(folder, script, flags):
    place = {"export": "--to", "embed": "--out"}.get(script, "--workdir")
    with disk(folder / "disk", "ro"):
        done = run_script(
            f"{script}.py", *flags, f"{place}=disk/new", cwd=folder
        )
    assert_one_clear_line(done, "Read-only file system: 'disk/new")


@pytest.mark.parametrize("script", ["eval_linear", "finetune"])
def test_a_run_that_may_only_be_read_is_named(folder, script):
    with disk(folder / "disk", "size=4m"):
        shutil.copytree(folder / "run", folder / "disk" / "run")
        remount_to_be_read(folder / "disk")
        done = run_script(f"{script}.py", "--workdir=disk/run", cwd=folder)
    assert_one_clear_line(done, "Read-only file system: 'disk/run")


@pytest.mark.slow
@pytest.mark.parametrize(
    "script, size, flags, told",
    [
        (
            "train",
            "48k",
            [
                f"--config={ROOT}/configs/quickstart.py",
                *(f"--config.{field}" for field in TINY),
                "--config.data.dir=data.npz",
                "--workdir=disk/new",
            ],
            "cannot be written",
        ),
        (
            "export",
            "16k",
            ["--workdir=run", "--to=disk/new"],
            "disk/new",
        ),
        (
            "embed",
            "8k",
            ["--workdir=run", "--images=images", "--out=disk/new.parquet"],
            "disk/new.parquet",
        ),
    ],
)
def test_a_full_disk_is_one_line_that_names_the_file(
    folder, script, size, flags, told
):
    with disk(folder / "disk", f"size={size}"):
        done = run_script(f"{script}.py", *flags, cwd=folder)
        assert_one_clear_line(done, told)
        assert "No space left" in done.stderr or "no space" in done.stderr
        left = [p.name for p in (folder / "disk").rglob(".*")]
    assert not left
