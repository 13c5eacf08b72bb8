"""A run folder of weights of ImageNet, without any training."""

import numpy as np
import pytest
from PIL import Image

from byol_tf.jobs.convert.published import published_run
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.runs.encoder import load_encoder
from configs import base

NAME, SIZE = "efficientnet_lite0", 32


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "run"
    about = published_run(NAME, folder, base.get_config(), SIZE)
    assert about["features"] == 1280
    return folder


def test_its_encoder_gives_vectors_of_files_by_the_weights_as_they_came(
    run, tmp_path
):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3))
    Image.fromarray(noise.astype(np.uint8)).save(tmp_path / "photo.png")
    encoder = load_encoder(run)
    row = encoder.decode(tmp_path / "photo.png")
    found = encoder.model(encoder.preprocessor(encoder.batch([row])))
    config, prepare = base.get_config(), CentreView(SIZE)
    config.encoder.name, config.encoder.weights = NAME, "imagenet"
    model = IMAGE.pretrained(config, prepare, (None, None, 3))
    wanted = model(prepare(encoder.batch([row])))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert encoder.about["method"] == "ImageNet weights"


def test_a_run_that_is_there_stays(run):
    with pytest.raises(ValueError, match="exists already"):
        published_run(NAME, run, base.get_config(), SIZE)
