"""Official checkpoints become encoders that compute what theirs did."""

import json

import keras
import numpy as np
import pytest

from byol_tf.jobs.convert import build as convert_builders
from byol_tf.jobs.convert import conversion, unpickle
from byol_tf.jobs.convert.architecture import DEPTHS, detect, our_name
from byol_tf.runs.encoder import load_encoder
from configs import base
from tests.support import official, official_file
from tests.support.official_file import TINY

VECTORS = official.load()
SMALL = {"blocks": (1, 1, 2), "widths": (4, 8, 8), "bottleneck": True}


@pytest.fixture(scope="module")
def tiny():
    return conversion.convert(TINY)


@pytest.fixture
def small(tmp_path):
    """Parameters, state and the path to write them to."""
    shapes = official_file.shapes("res_net50", **SMALL)
    return *official_file.random_checkpoint(shapes), tmp_path / "small.pkl"


def images(size=33, count=3):
    return np.random.default_rng(1).random((count, size, size, 3), np.float32)


def difference(ours, theirs):
    return conversion.relative_difference(ours, theirs)


def test_the_weights_are_those_recorded_after_the_last_step(tiny):
    recorded = official.group(VECTORS, "tiny/final/online")
    count = 0
    for key, value in recorded.items():
        network, layer, variable = official.our_name(key)
        if network == "encoder":
            ours = getattr(tiny.encoder.get_layer(layer), variable).numpy()
            np.testing.assert_array_equal(ours, value.reshape(ours.shape))
            count += 1
    assert count == len(tiny.encoder.trainable_variables)


def test_the_moving_statistics_are_the_recorded_debiased_ones(tiny):
    recorded = official.group(VECTORS, "tiny/final/online_state")
    norms = [x for x in tiny.encoder.layers if hasattr(x, "moving_mean")]
    theirs = {
        official.our_name(f"{key.rsplit('/~/', 1)[0]}/scale")[1]: key
        for key in recorded
        if key.startswith("tiny_res_net") and key.endswith("mean_ema/average")
    }
    assert set(theirs) == {norm.name for norm in norms}
    for norm in norms:
        mean = theirs[norm.name]
        variance = mean.replace("mean_ema", "var_ema")
        np.testing.assert_array_equal(
            norm.moving_mean.numpy(), recorded[mean].ravel()
        )
        np.testing.assert_array_equal(
            norm.moving_variance.numpy(), recorded[variance].ravel()
        )
        assert float(norm.updates.numpy()) == 12  # 6 steps of two views


def test_recorded_activations_are_reproduced(tmp_path):
    params, state = official_start()
    path = official_file.write(tmp_path / "start.pkl", params, state)
    encoder = conversion.convert(path).encoder
    # What was recorded was in training mode, of the batch's own statistics.
    ours = encoder(VECTORS["tiny/step0/view1"], training=True)
    recorded = VECTORS["tiny/step0/online_embedding_view1"]
    assert difference(ours, recorded) < 1e-5


def official_start():
    """The recorded first parameters, with statistics of nothing yet."""
    params, state = {}, {}
    for key, value in official.group(VECTORS, "tiny/init/online").items():
        module, variable = key.rsplit("/", 1)
        params.setdefault(module, {})[variable] = value
        if variable == "scale":
            for average in ("mean_ema", "var_ema"):
                state[f"{module}/~/{average}"] = {
                    "average": np.zeros_like(value),
                    "counter": np.int32(0),
                    "hidden": np.zeros_like(value),
                }
    return params, state


@pytest.mark.parametrize("size", [32, 33, 40])
def test_activations_of_the_official_file_are_those_of_numpy(tiny, size):
    state = unpickle.load(TINY)["experiment_state"]
    reference = official_file.Encoder(
        state["online_params"], state["online_state"]
    )
    x = images(size)
    assert difference(tiny.encoder(x), reference(x)) < 1e-5


@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_every_kind_of_network_computes_what_numpy_does(
    v2, plain, bottleneck, tmp_path
):
    shapes = official_file.shapes(
        "res_net",
        (2, 1, 2),
        (8, 4, 8),
        bottleneck=bottleneck,
        v2=v2,
        plain=plain,
        stem=32 if bottleneck else 8,
    )
    params, state = official_file.random_checkpoint(shapes)
    path = official_file.write(tmp_path / "a.pkl", params, state)
    converted = conversion.convert(path)
    assert converted.architecture.pre_activation == v2
    reference = official_file.Encoder(params, state)
    assert difference(converted.encoder(images()), reference(images())) < 1e-5


@pytest.mark.parametrize("name", sorted(DEPTHS))
@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_official_networks_are_known_by_their_shapes(name, v2, width):
    blocks, block = DEPTHS[name]
    arrays = without_memory(
        official_file.shapes(
            "r",
            blocks,
            [width * channels for channels in (64, 128, 256, 512)],
            bottleneck=block == "bottleneck",
            v2=v2,
            plain=block == "basic",
        )
    )
    found = detect(arrays)
    assert found.name == name + ("_v2" if v2 else "")
    assert found.width == width


def test_channels_that_are_no_multiple_have_no_official_name():
    shapes = official_file.shapes(
        "r", (3, 4, 6, 3), (64, 128, 256, 500), bottleneck=True
    )
    found = detect(without_memory(shapes))
    assert found.name == "resnet of bottleneck blocks (3, 4, 6, 3)"


# Trainable numbers of the encoders, in millions, as the paper has them.
PAPER = {("resnet50", 1): 24, ("resnet50", 2): 94, ("resnet200", 2): 250}


@pytest.mark.parametrize("name,width", PAPER)
def test_official_networks_have_the_size_of_the_paper(name, width):
    shapes = official_file.shapes(
        "r",
        DEPTHS[name][0],
        [width * channels for channels in (64, 128, 256, 512)],
        bottleneck=True,
    )
    sizes = [a.size for a in without_memory(shapes).values()]
    assert round(sum(sizes) / 1e6) == pytest.approx(PAPER[name, width], abs=1)


def without_memory(shapes):
    return {
        f"{module.replace('r/~/', '').replace('~/', '')}/{variable}": (
            np.broadcast_to(np.float32(0), shape)
        )
        for module, variables in shapes.items()
        for variable, shape in variables.items()
    }


def test_every_variable_of_a_norm_and_a_convolution_has_a_name():
    block = "block_group_2/block_10"
    assert our_name("initial_conv/w") == ("stem_conv", "kernel")
    assert our_name("initial_batchnorm/scale") == ("stem_norm", "gamma")
    assert our_name(f"{block}/batchnorm_1/mean") == (
        "stage2_block10_1_norm",
        "moving_mean",
    )
    assert our_name(f"{block}/shortcut_conv/w") == (
        "stage2_block10_shortcut_conv",
        "kernel",
    )


def test_the_saved_file_gives_the_same_and_its_digest_is_told(small):
    params, state, path = small
    official_file.write(path, params, state)
    to = path.with_suffix(".keras")
    about = convert_builders.convert_file(path, to)
    assert about["relative_differences"]["reloaded"] == 0
    assert about["sha256"] == conversion.sha256(to)
    written = json.loads(path.with_suffix(".json").read_text())
    assert written["source"]["sha256"] == conversion.sha256(path)
    assert written["source"]["step"] == 7
    copy = keras.saving.load_model(to, safe_mode=True)
    reference = official_file.Encoder(params, state)
    assert difference(copy(images()), reference(images())) < 1e-5


def test_recorded_activations_are_compared(small):
    params, state, path = small
    official_file.write(path, params, state)
    reference = official_file.Encoder(params, state)(images())
    vectors = path.with_suffix(".npz")
    np.savez(vectors, images=images(), representations=reference)
    to = path.with_suffix(".keras")
    about = convert_builders.convert_file(path, to, vectors=vectors)
    assert about["relative_differences"]["recorded"] < 1e-5


def test_the_converted_encoder_goes_on_averaging_where_it_stopped(tiny):
    norm = tiny.encoder.get_layer("stem_norm")
    assert norm.decay == 0.9
    assert norm.epsilon == 1e-5


def test_a_run_folder_says_what_the_encoder_takes(tmp_path, caplog):
    convert_builders.convert_run(TINY, tmp_path / "run", base.get_config())
    encoder = load_encoder(tmp_path / "run")
    assert "earlier" not in caplog.text
    assert encoder.preprocessor.size == (224, 224)
    assert encoder.sizes["image_size"] == 256 and encoder.features == 8
    assert encoder.about["config"]["augment"]["size"] == 224
