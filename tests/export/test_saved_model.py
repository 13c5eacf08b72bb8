"""SavedModels in folders of any name."""

import os

import pytest
import tensorflow as tf

from byol_tf.export import saved_model
from byol_tf.files import plain_path


@pytest.mark.parametrize(
    "name", ["exp [lr=0.1,bs=64]", "a*b?", "a\nb", os.fsdecode(b"\xff'")]
)
def test_a_folder_of_any_name_takes_an_export(tmp_path, name):
    module = tf.Module()
    module.weight = tf.Variable(3.0)
    module.call = tf.function(
        lambda x: {"y": x * module.weight},
        input_signature=[tf.TensorSpec((None,), name="x")],
    )
    with saved_model.new_version(tmp_path / name) as folder:
        saved_model.save(module, {"serving_default": module.call}, folder)
    with plain_path(tmp_path / name / "1") as path:
        call = tf.saved_model.load(path).signatures["serving_default"]
    assert call(x=tf.constant([2.0]))["y"].numpy() == [6.0]
