"""Encoders' files where neither this package nor keras-cv is installed."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from byol_tf.layers.plain import to_plain
from byol_tf.modalities.image.adapters import make_encoder
from byol_tf.modalities.image.resnet import ResNet, make_resnet
from tests.support.norms import randomise_norms

pytestmark = pytest.mark.slow
NAMES = [
    "slim",
    "resnet18",
    "bottlenecks",
    "applications/MobileNetV3Small",
    "keras_cv/resnet18_v2",
]
KEYS = [(name, p) for name in NAMES for p in ("float32", "mixed_bfloat16")]
LOAD = """
import pathlib, sys
sys.modules["byol_tf"] = sys.modules["keras_cv"] = None  # fail to import
import keras, numpy
images = numpy.load("images.npy")
for path in pathlib.Path().glob("*.keras"):
    encoder = keras.saving.load_model(path)
    numpy.save(path.with_suffix(".npy"), encoder(images))
"""


def images():
    return np.random.default_rng(0).random((4, 32, 32, 3), np.float32)


def make(name, policy):
    keras.utils.set_random_seed(0)
    if name == "bottlenecks":  # those of resnet50, one of each width
        blocks, widths = (1, 1, 1, 1), (64, 128, 256, 512)
        return ResNet(
            *((32, 32, 3), blocks, widths),
            **{"block": "bottleneck", "stem": "imagenet", "dtype": policy},
        )
    if "/" not in name:
        return make_resnet(name, (32, 32, 3), dtype=policy)
    return make_encoder(name, (32, 32, 3), dtype=policy)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """Of every encoder as trained, and as loaded without the package."""
    pytest.importorskip("keras_cv")
    folder = tmp_path_factory.mktemp("plain")
    np.save(folder / "images.npy", images())
    trained = {}
    for index, key in enumerate(KEYS):
        variance = 0.15 if "MobileNet" in key[0] else 1.0
        encoder = randomise_norms(make(*key), index, variance)
        trained[key] = np.asarray(encoder(images()))
        to_plain(encoder).save(folder / f"{index}.keras")
    subprocess.run([sys.executable, "-c", LOAD], cwd=folder, check=True)
    return {
        key: (trained[key], np.load(folder / f"{index}.npy"))
        for index, key in enumerate(KEYS)
    }


@pytest.mark.parametrize("name", NAMES)
def test_float32_vectors_differ_by_rounding(vectors, name):
    trained, loaded = vectors[name, "float32"]
    assert trained.std(0).max() > 1e-3  # vectors tell images apart
    np.testing.assert_allclose(loaded, trained, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_vectors_differ_by_rounding(vectors, name):
    trained, loaded = vectors[name, "mixed_bfloat16"]
    assert trained.std(0).max() > 1e-3
    # Half a unit in the last of bfloat16's 8 digits is 0.4 % of a number.
    scale = max(1.0, np.abs(trained).max())
    np.testing.assert_allclose(loaded, trained, atol=1e-2 * scale, rtol=0)
    lengths = np.linalg.norm(trained, axis=1) * np.linalg.norm(loaded, axis=1)
    assert np.all((trained * loaded).sum(1) > 0.9999 * lengths)
