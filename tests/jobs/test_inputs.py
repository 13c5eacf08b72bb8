"""byol_tf.jobs.inputs."""

import dataclasses
import shutil

import numpy as np
import pytest

from byol_tf.jobs.inputs import data_suffix, run_with_data, start_of
from byol_tf.jobs.pretrain.start import WEIGHTS_FILE
from byol_tf.runs.config import save_config
from byol_tf.runs.encoder import FILE, load_encoder
from configs import base, finetune
from tests.support.runs import make_run


@pytest.mark.parametrize("other,pair", [(None, "answer"), ("others", "")])
def test_other_texts_need_no_second_column(other, pair, tmp_path):
    run, config = base.get_config(), finetune.get_config()
    run.data.pair_column, config.data.dir = "answer", other
    save_config(run, tmp_path)
    found = run_with_data(config, tmp_path, base.get_config())
    assert found.data.pair_column == pair


def test_versions_of_a_folder_have_separate_results(tmp_path):
    config, found = finetune.get_config(), []
    (tmp_path / "pets.csv").touch()
    for name in ("pets.v1", "pets.v2", "pets.csv"):
        config.data.dir = str(tmp_path / name)
        found.append(data_suffix(config))
    assert found == ["_pets_v1", "_pets_v2", "_pets"]


def test_original_weights_take_images_of_the_finished_size(tmp_path):
    for size in ("12", "8"):
        (tmp_path / size).mkdir()
    run, views = (make_run(tmp_path / str(n), size=n) for n in (12, 8))
    shutil.copy(views / FILE, run / WEIGHTS_FILE)
    encoder = load_encoder(run)
    about = {**encoder.about, "start": "imagenet"}
    _, came = start_of(run, dataclasses.replace(encoder, about=about))
    assert came.model(np.zeros((2, 12, 12, 3))).shape == (2, encoder.features)
