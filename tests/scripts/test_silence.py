"""What the start of TensorFlow leaves on the terminal: errors alone."""

import logging
import os
import subprocess
import sys

import pytest

from configs import commands, silence
from tests.support.scripts import ROOT

NOTES = (
    "WARNING: All log messages before absl::InitializeLog() is called are ...",
    "I0000 00:00:1795884176.360301    1058 port.cc:153] oneDNN custom ...",
    "To enable the following instructions: AVX2 AVX512F, rebuild TensorFlow.",
    "E0000 00:00:1795884178.5 1058 cuda_platform.cc:52] failed call to cuInit:",
)
ERROR = "E0000 00:00:1795884178.5 1058 gpu.cc:1] out of memory"
FLAGS = {
    "pretrain": ["--config=configs/base.py", "--workdir=new"],
    "evaluate": ["RUN", "--config.data.source=embedded"],
    "predict": ["RUN", "RUN"],
    "export": ["RUN", "OUT"],
    "serve": ["RUN"],
    "select": ["RUN", "RUN"],
    "embed": ["RUN", "RUN"],
    "system": ["customer_service", "ask", "how", "--run", "RUN"],
    "convert": [f"--source={__file__}", "--to=encoder.keras"],
}


def start(place, name, fakes, **more):
    environment = {k: v for k, v in os.environ.items() if k != silence.LEVEL}
    words = FLAGS.get(name, ["RUN"])
    # To the end of stderr: what passes on the lines outlives the process.
    return subprocess.run(
        [sys.executable, "-m", "byol_tf", name]
        + [str(place) if word == "RUN" else word for word in words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(fakes), **more},
        timeout=60,
    )


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory):
    """A run folder, and libraries that write notes and an error, and end."""
    folder = tmp_path_factory.mktemp("silence")
    lines = "\n".join([*NOTES, ERROR, ""]).encode()
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text(
            f"import os\nos.write(2, {lines!r})\nos._exit(1)\n"
        )
    for name in ("encoder.keras", "classifier.keras"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_a_start_that_breaks_off_leaves_its_error_alone(name, place):
    assert start(place, name, place).stderr.splitlines() == [ERROR]


@pytest.mark.parametrize(
    "level,notes", [("0", NOTES), ("1", NOTES), ("2", []), ("3", [])]
)
def test_who_lowers_the_level_sees_all(place, level, notes):
    """A higher one asks for less, as a command does of those it starts."""
    done = start(place, "embed", place, **{silence.LEVEL: level})
    assert done.stderr.splitlines() == [*notes, ERROR]


@pytest.mark.parametrize(
    "path,level,text,shown",
    [
        ("/tensorflow/saver.py", logging.INFO, "Sharding callback", False),
        ("/tensorflow/x.py", logging.WARNING, "6 out of the last 6 calls to f "
         "triggered tf.function retracing. Tracing is", False),
        ("/tensorflow/x.py", logging.WARNING, "no gradient", True),
        ("/byol_tf/data/folder.py", logging.INFO, "60 files", True),
        ("/tifffile.py", logging.ERROR, "invalid offset to first page", False),
    ],
)  # fmt: skip
def test_notes_of_the_log_are_told_from_warnings(path, level, text, shown):
    name = "tifffile" if "tifffile" in path else "absl"
    record = logging.LogRecord(name, level, path, 1, text, (), None)
    assert silence.is_ours(record) is shown


DAMAGED = """
import io
import numpy as np
from PIL import Image
from configs import silence
file = io.BytesIO()
noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
Image.fromarray(noise).save(file, "JPEG")
whole = file.getvalue()
more = whole[:-2] + b"more" + whole[-2:]
files = [whole, whole[:300], whole[:-900], more]
with silence.decoding():
    import os
    import tensorflow as tf
    from byol_tf.modalities.image.graph_decode import decode_squares
    _, status = decode_squares(tf.constant(files), 12, 3)
    print(*status.numpy().tolist(), sep="\\n")
    os.write(2, b"ours\\n")
"""


def test_damaged_files_get_their_status_and_write_no_line():
    done = subprocess.run(
        [sys.executable, "-c", DAMAGED],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, silence.LEVEL: "2"},
        timeout=60,
    )
    damaged, ok = "b'damaged image'", "b'ok'"
    assert done.stdout.split("\n") == [ok, damaged, damaged, ok, ""]
    assert "ours" in done.stderr.splitlines()
    assert "JPEG" not in done.stderr


def test_keras_does_not_see_what_no_command_needs(tmp_path):
    """Importing scikit-learn takes a second, and Keras tries to."""
    (tmp_path / "tensorflow.py").write_text(
        "from types import SimpleNamespace\n"
        "config = SimpleNamespace(list_physical_devices=list)\n"
        "try:\n    import sklearn\n"
        "except ImportError:\n    print('unseen')\n"
    )
    (tmp_path / "sklearn.py").write_text("print('imported')\n")
    code = (
        "from configs import silence\n"
        "with silence.starting():\n    pass\n"
        "import sklearn\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=60,
    )
    assert done.stdout.split() == ["unseen", "imported"], done.stderr
