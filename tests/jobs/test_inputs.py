"""byol_tf.jobs.inputs."""

import pytest

from byol_tf.jobs.inputs import run_with_data
from byol_tf.runs.config import save_config
from configs import base, finetune


@pytest.mark.parametrize("other,pair", [(None, "answer"), ("others", "")])
def test_other_texts_need_no_second_column(other, pair, tmp_path):
    run, config = base.get_config(), finetune.get_config()
    run.data.pair_column, config.data.dir = "answer", other
    save_config(run, tmp_path)
    found = run_with_data(config, tmp_path, base.get_config())
    assert found.data.pair_column == pair
