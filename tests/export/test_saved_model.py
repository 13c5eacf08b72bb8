"""SavedModels in folders of any name."""

import os

import keras
import pytest
import tensorflow as tf

from byol_tf.export import saved_model, signatures
from byol_tf.files import plain_path
from byol_tf.jobs.export.simple import export_saved_model
from byol_tf.modalities.image.centre import CentreView


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


def test_a_folder_below_home_takes_an_export(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(signatures, "make_module", lambda _: (tf.Module(), {}))
    monkeypatch.setattr(saved_model, "save", lambda *_: None)
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    made = export_saved_model(model, CentreView(8), "~/to", image_size=8)
    assert made == tmp_path / "to" / "1" and made.is_dir()
