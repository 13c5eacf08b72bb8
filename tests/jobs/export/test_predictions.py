"""Fine-tuned models of every task in an export: what `predict` gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.export import saved_model, signatures, verify
from byol_tf.jobs.export import build as export_builders
from byol_tf.modalities.image.inputs import png
from byol_tf.runs.encoder import load_classifier, load_encoder
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.multilabel import MultiLabel
from byol_tf.tasks.regression import Regression
from configs import base
from tests.support.exporting import options
from tests.support.runs import make_run

TASKS = [
    MultiLabel(("red", "round", "large")),
    Regression(("age",), (3.0,), (2.0,)),
    Keypoints(("left_x", "left_y", "right_x", "right_y")),
]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("tasks"))


def save_classifier(workdir, task):
    """What fine-tuning writes, with a head that was not trained."""
    keras.utils.set_random_seed(3)
    encoder = load_encoder(workdir)
    spec = tf.TensorSpec([None, encoder.features])
    head = task.head({"vector": spec})
    head.set_weights(
        [np.random.default_rng(0).normal(size=w.shape) for w in head.weights]
    )
    outputs = head({"vector": encoder.model.output})
    model = keras.Model(encoder.model.input, outputs)
    encoder.of_rows((12, 12, 3), model, task).save(workdir, "classifier")


PIXELS = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)
FILES = [*(png(image) for image in PIXELS), b"no image"]


def check(workdir, task, outputs):
    kept = load_classifier(workdir, "classifier")
    wanted = kept.task.decode(kept.model(kept.preprocessor(PIXELS)))
    got = outputs[task.prediction].numpy()
    np.testing.assert_allclose(got[:4], wanted[task.prediction], rtol=1e-4)
    assert np.isnan(got[4]).all()
    status = outputs["status"].numpy()
    assert list(status[:4]) == [b"ok"] * 4 and b"not an image" in status[4]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_predictions_are_those_that_the_task_decodes(workdir, task):
    save_classifier(workdir, task)
    kept = load_classifier(workdir, "classifier")
    _, calls = signatures.make_module(kept, kept, kept.task.decode)
    check(workdir, task, calls["predict"](tf.constant(FILES)))
    described = signatures.describe({"predict": calls["predict"]}, kept, kept)
    outputs = described["predict"]["outputs"]
    assert set(outputs) == {task.prediction, "status"}
    assert task.columns[-1] in outputs[task.prediction]


@pytest.mark.slow
def test_a_fine_tuned_run_exports_and_compares_its_predictions(
    workdir, tmp_path
):
    save_classifier(workdir, TASKS[-1])
    exported = export_builders.export(
        options(), workdir, tmp_path, base.get_config()
    )["saved_model"]
    compared = exported["verification"]["forms"]["saved_model predict"]
    assert compared["by_signature"]["images"]["largest_difference"] < 1e-4
    card = tmp_path / "1" / saved_model.EXTRA / "model_card.md"
    assert "(keypoints): left_x" in card.read_text()
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    outputs = loaded.signatures["predict"](bytes=tf.constant(FILES))
    check(workdir, TASKS[-1], outputs)


def test_all_numbers_among_predictions_are_compared():
    outputs = {
        "boxes": tf.reshape(tf.range(12), [2, 3, 2]),
        "name": tf.constant(["a", "b"]),
        "age": tf.constant([0.5, 1.5]),
    }
    np.testing.assert_array_equal(
        verify.in_rows(outputs),
        [[0.5, 0, 1, 2, 3, 4, 5], [1.5, 6, 7, 8, 9, 10, 11]],
    )
