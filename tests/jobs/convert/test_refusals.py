"""A checkpoint that does not fit ends in one line, and leaves no file."""

import pathlib
import re

import keras
import numpy as np
import pytest

from byol_tf.jobs.convert import build as convert_builders
from byol_tf.jobs.convert import conversion
from byol_tf.jobs.convert.checkpoint import load_checkpoint
from tests.support import official_file

DATA = pathlib.Path(__file__).parents[2] / "data"
TINY = DATA / "official_tiny_checkpoint.pkl"
SMALL = {"blocks": (1, 1, 2), "widths": (4, 8, 8), "bottleneck": True}


@pytest.fixture
def small(tmp_path):
    """Parameters, state and the path to write them to."""
    shapes = official_file.shapes("res_net50", **SMALL)
    return *official_file.random_checkpoint(shapes), tmp_path / "small.pkl"


def images(size=33, count=3):
    return np.random.default_rng(1).random((count, size, size, 3), np.float32)


def change(arrays, module, variable, value):
    key = next(key for key in arrays if key.endswith(module))
    arrays[key] = {**arrays[key], variable: value}


def remove(arrays, module):
    del arrays[next(key for key in arrays if key.endswith(module))]


WRONG = {
    "a kernel of another shape": (
        lambda p, s: change(p, "block_1/~/conv_1", "w", np.zeros((3, 3, 8, 9))),
        r"`block_group_2/block_1/conv_1/w` must be \[3, 3, 8, 8\].*3, 3, 8, 9",
    ),
    "a norm of another shape": (
        lambda p, s: change(p, "initial_batchnorm", "scale",
                            np.ones((1, 1, 1, 63))),
        r"`initial_batchnorm/scale` must be \[64\]. Received: \[1, 1, 1, 63\]",
    ),
    "a kernel that is missing": (
        lambda p, s: remove(p, "block_1/~/conv_1"),
        "nothing for `kernel` of the layer `stage2_block1_1_conv`, and 0 more",
    ),
    "statistics that are missing": (
        lambda p, s: remove(s, "initial_batchnorm/~/var_ema"),
        "nothing for `moving_variance` of the layer `stem_norm`",
    ),
    "a part of statistics that is missing": (
        lambda p, s: s[next(iter(s))].pop("hidden"),
        "mean_ema/hidden` is missing",
    ),
    "a bias that has no place": (
        lambda p, s: change(p, "initial_conv", "b", np.zeros(64)),
        "`initial_conv/b` is not a variable of an official encoder",
    ),
    "a layer that has no place": (
        lambda p, s: p.update({"res_net50/~/extra_conv": {"w": np.ones(1)}}),
        "`extra_conv/w` of the checkpoint has no place",
    ),
    "a block that is missing": (
        lambda p, s: [remove(p, f"block_group_2/~/block_0/~/{name}")
                      for name in ("conv_0", "conv_1", "conv_2",
                                   "shortcut_conv")],
        "numbered from 0 on",
    ),
    "another stem": (
        lambda p, s: change(p, "initial_conv", "w", np.zeros((3, 3, 3, 64))),
        r"`initial_conv/w` must be \[7, 7, 3, channels\].*\[3, 3, 3, 64\]",
    ),
    "a number that is none": (
        lambda p, s: change(p, "initial_batchnorm", "offset",
                            np.full((1, 1, 1, 64), np.nan)),
        "`initial_batchnorm/offset` must be finite",
    ),
    "statistics of another decay": (
        lambda p, s: change(s, "initial_batchnorm/~/mean_ema", "counter",
                            np.int32(3)),
        "initial_batchnorm/mean_ema` must be a debiased average of decay 0.9",
    ),
    "two encoders": (
        lambda p, s: p.update({"other/~/initial_conv": {"w": np.ones(1)}}),
        "must hold one encoder.*other, res_net50",
    ),
    "what is no array": (
        lambda p, s: change(p, "initial_conv", "w", [1, 2]),
        "initial_conv/w` must be an array",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_checkpoint_that_does_not_fit_is_refused_in_one_line(what, small):
    params, state, path = small
    spoil, message = WRONG[what]
    spoil(params, state)
    official_file.write(path, params, state)
    to = path.with_suffix(".keras")
    with pytest.raises(ValueError, match=message) as error:
        convert_builders.convert_file(path, to)
    assert "\n" not in str(error.value)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [b"N.", b"}.", b"]."])
def test_another_pickle_is_refused_with_what_it_holds(content, tmp_path):
    path = tmp_path / "other.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must be a pretraining checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "wanted", [{"encoder": "resnet50"}, {"width": 2}, {"encoder": "resnet18"}]
)
def test_another_encoder_than_the_wanted_one_is_refused(wanted):
    with pytest.raises(ValueError, match=r"0\.125.*leave that out to convert"):
        conversion.convert(TINY, **wanted)


def test_an_existing_file_is_left_alone(tmp_path):
    path = tmp_path / "encoder.keras"
    path.write_bytes(b"mine")
    with pytest.raises(ValueError, match="exists already"):
        convert_builders.convert_file(TINY, path)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize(
    "wrong,advice,right",
    [
        ({"width": 2}, "leave that out", {}),
        ({"to": "encoder.h5"}, "must end in .keras", {"to": "new.keras"}),
        ({"to": "encoder.keras"}, "choose another name", {"to": "b.keras"}),
        ({"vectors": "a.npz"}, "hold `images` [n, height, width, 3] and "
         "`representations` [n, 8]", {"vectors": "right.npz"}),
    ],
)  # fmt: skip
def test_what_an_error_advises_works(
    wrong, advice, right, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "encoder.keras").touch()
    np.savez("a.npz", pictures=images())
    np.savez(
        "right.npz",
        images=images(),
        representations=conversion.convert(TINY).encoder(images()),
    )
    with pytest.raises(ValueError, match=re.escape(advice)):
        convert_builders.convert_file(TINY, **{"to": "a.keras", **wrong})
    about = convert_builders.convert_file(TINY, **{"to": "a.keras", **right})
    assert about["features"] == 8


@pytest.mark.parametrize(
    "factor,features,message",
    [
        (1.01, 32, r"differs .* by 9\.9e-03"),
        (1.0, 31, r"must hold `images`.*\[3, 31\]"),
    ],
)
def test_other_activations_end_it_and_leave_no_file(
    factor, features, message, small
):
    params, state, path = small
    official_file.write(path, params, state)
    reference = official_file.Encoder(params, state)(images())
    vectors = path.with_suffix(".npz")
    np.savez(
        vectors,
        images=images(),
        representations=factor * reference[:, :features],
    )
    to = path.with_suffix(".keras")
    with pytest.raises(ValueError, match=message):
        convert_builders.convert_file(path, to, vectors=vectors)
    assert not to.exists()


def test_a_copy_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
    other = keras.saving.load_model

    def load(*args, **kwargs):
        model = other(*args, **kwargs)
        model.get_layer("stem_norm").gamma.assign_add(
            np.full(64, 0.01, np.float32)
        )
        return model

    monkeypatch.setattr(keras.saving, "load_model", load)
    with pytest.raises(ValueError, match="saved encoder differs"):
        conversion.save(conversion.convert(TINY), tmp_path / "encoder.keras")
    assert not list(tmp_path.iterdir())
