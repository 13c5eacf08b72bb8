"""Any value of any field: the run takes a step, or one line names the field."""

import contextlib
import io

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ml_collections import config_flags

from byol_tf.jobs.pretrain import build as builders
from byol_tf.runs.config import flatten
from configs import base, door

EXAMPLES = 60
TINY = """
from configs import base

def get_config():
    config = base.get_config()
    config.update_from_flattened_dict({{
        "batch_size": 4,
        "epochs": 2,
        "data.source": "arrays",
        "data.dir": {images!r},
        "encoder.name": "slim",
        "encoder.blocks": (1,),
        "encoder.widths": (4,),
        "heads.hidden_size": 8,
        "heads.projection_size": 4,
        "optimizer.warmup_epochs": 0.0,
    }})
    return config
"""
# As they are typed, by the type of the field.
TEXTS = {
    int: ("-1", "0", "1", "2", "3", "-9223372036854775809", "2147483648"),
    float: (
        *("-1.0", "-0.0", "0.0", "1e-12", "0.3", "1.0", "1.5", "2.0"),
        *("1e9", "1e300", "nan", "inf", "-inf"),
    ),
    bool: ("True", "False"),
    str: (
        *("", " ", "none", "..", "/nowhere", "ä ö", "x" * 500, "a\nb"),
        *("auto", "embedded", "folder", "arrays", "slim", "applications/No"),
        *("applications/", "keras_cv/no", "/", "yes", "constant", "copy"),
        *("sgd", "adamw", "pipeline", "bilinear", "small", "imagenet"),
        *("mixed_bfloat16", "disk", "required", "ignore", "test", "stop"),
    ),
    tuple: (
        *("()", "(1,)", "(2,1)", "(0.1,0.9)", "(0.0,0.0)", "(0,0,0)"),
        *("(-1,1)", "(1e300,1e300)", "(1,'a')", "('a',)", "(None,1)"),
        *("((1,2),3)", "(1", "1e999", "(True,False)"),
    ),
}
ANY = ("many", "", "None", "[1, 2]", "{}", "0x10", "1e400", "(1,2)", "\0")
FIELDS = flatten(base.get_config().to_dict())

# What the flags raise; `door` makes one line of it.
PARSING = (
    *(flags.Error, AttributeError, KeyError, OSError, SyntaxError),
    *(TypeError, ValueError),
)


@st.composite
def overrides(draw):
    """One field, or two, with what is typed for them."""
    chosen = draw(
        st.lists(
            st.sampled_from(sorted(FIELDS)), min_size=1, max_size=2, unique=True
        )
    )
    texts = {}
    for field in chosen:
        usual = TEXTS[type(FIELDS[field])]
        texts[field] = draw(st.sampled_from(usual) | st.sampled_from(ANY))
    return texts


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a configuration file and images for it."""
    folder = tmp_path_factory.mktemp("configs")
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 9), ("test", 4)):
        shape = (count, 8, 8, 3)
        arrays[f"{split}_images"] = rng.integers(0, 256, shape, np.uint8)
        arrays[f"{split}_labels"] = np.arange(count) % 2
    np.savez(folder / "images.npz", **arrays)
    text = TINY.format(images=str(folder / "images.npz"))
    (folder / "tiny.py").write_text(text)
    # Without it, every configuration would compile its views.
    tf.config.run_functions_eagerly(True)
    # It holds for the whole process.
    patch = pytest.MonkeyPatch()
    patch.setattr(builders, "make_deterministic", lambda: None)
    yield folder
    patch.undo()
    tf.config.run_functions_eagerly(False)


def parsed(file, texts):
    """The configuration that `train.py` gets by these flags."""
    values = flags.FlagValues()
    argv = ["train.py", f"--config={file}"]
    argv += [f"--config.{field}={text}" for field, text in texts.items()]
    config_flags.DEFINE_config_file(
        "config",
        None,
        "",
        flag_values=values,
        lock_config=True,
        sys_argv=argv,
    )
    values(argv)
    return values.config


def one_step(config, folder):
    """Builds what `train.py` builds, and takes one step."""
    job = builders.pretraining(config, folder / "run")
    batch = next(iter(job.batches(0)))
    return job.model.pretrain_step(*batch)


def told(error):
    """What the user reads of an error."""
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream), pytest.raises(SystemExit) as end:
        door.fail(error)
    assert end.value.code == door.USAGE_ERROR
    (line,) = stream.getvalue().splitlines()
    return line


def check(texts, folder):
    """The values are taken, or refused by one line that names the field."""
    try:
        config = parsed(folder / "tiny.py", texts)
    except PARSING as error:
        line = told(error)
    else:
        try:
            assert one_step(config, folder)
            return
        except (ValueError, OSError) as error:
            line = told(error)
    # The last part of the name, as arguments are called; all that has to do
    # with reading the images is told of the section.
    names = [field.split(".")[-1] for field in texts]
    if any(field.startswith("data.") for field in texts):
        names.append("config.data")
    assert any(name in line for name in names), (texts, line)
    assert len(line) < 2000, texts


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(texts=overrides())
@example(texts={"seed": "-0"})
def test_any_value_is_taken_or_refused_by_name(tiny, texts):
    check(texts, tiny)
