"""Tasks by name, as JSON, and their heads in saved models."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.tasks.classification import Classification
from byol_tf.tasks.detection import Detection
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.multilabel import MultiLabel
from byol_tf.tasks.registry import TASKS, from_json, task_class, to_json
from byol_tf.tasks.regression import Regression
from byol_tf.tasks.task import VectorTask
from byol_tf.tasks.transcription import Transcription
from tests.support.brightness import Brightness

EXAMPLES = [
    Classification(("ant", "bee"), 0.1, (0.5, 1.5)),
    Classification(("ant", "bee", "cat")),
    MultiLabel(("red", "round")),
    Regression(("weight", "height"), (70, 1.7), (12, 0.1)),
    Keypoints(("eye_x", "eye_y"), 0.05),
    Brightness(("mean",)),
]


SPECS = {"vector": tf.TensorSpec([None, 3])}


class OldBrightness(VectorTask):
    """As it was written for release 0.2."""

    def head(self):
        return keras.layers.Dense(1)

    def activation(self):
        return "sigmoid"


class OldHead(Brightness):
    def head(self):
        return keras.layers.Dense(1)


def test_every_built_in_task_has_its_name():
    assert {
        "classification": Classification,
        "multilabel": MultiLabel,
        "regression": Regression,
        "detection": Detection,
        "keypoints": Keypoints,
        "transcription": Transcription,
    } == TASKS
    for name, kind in TASKS.items():
        assert task_class(name) is kind and kind.name == name


@pytest.mark.parametrize("task", EXAMPLES, ids=lambda task: task.name)
def test_json_makes_an_equal_task(task):
    described = to_json(task)
    again = from_json(json.loads(json.dumps(described)), described["task"])
    assert type(again) is type(task)
    assert vars(again) == vars(task)
    assert to_json(again) == described


@pytest.mark.parametrize("task", EXAMPLES, ids=lambda task: task.name)
def test_a_model_with_the_head_loads_in_safe_mode(task, tmp_path):
    model = task.head(SPECS)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    features = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for name, output in model({"vector": features}).items():
        assert output.shape == (4, len(task.columns))
        found = again({"vector": features})[name]
        np.testing.assert_array_equal(found, output)
        assert np.ptp(output) > 0


@pytest.mark.parametrize("task", EXAMPLES, ids=lambda task: task.name)
def test_the_head_is_float32_under_mixed_precision(task):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        head = task.head(SPECS)
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = head({"vector": tf.ones((2, 3), tf.bfloat16)})
    assert {output.dtype for output in outputs.values()} == {tf.float32}


@pytest.mark.parametrize("task", EXAMPLES, ids=lambda task: task.name)
def test_gradient_steps_lower_the_loss_in_a_compiled_step(task):
    # From features that determine the targets.
    rng = np.random.default_rng(0)
    features = tf.constant(rng.normal(size=(32, 3)), tf.float32)
    targets = rng.integers(0, 2, (32, 1))
    features = tf.concat([features, 4.0 * targets - 2], axis=1)
    targets = np.float32(targets == np.arange(len(task.columns)))
    if not task.mixable:
        targets = targets / 2 + 0.25
    keras.utils.set_random_seed(0)
    head = task.head({"vector": tf.TensorSpec([None, 4])})
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(head.trainable_variables)

    @tf.function(jit_compile=True)
    def step():
        with tf.GradientTape() as tape:
            outputs = head({"vector": features})
            loss = tf.reduce_mean(task.loss(targets, outputs))
        weights = head.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    losses = [float(step()) for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_users_own_task_goes_by_module_and_class():
    name = "tests.support.brightness:Brightness"
    assert task_class(name) is Brightness
    assert to_json(Brightness(("mean",))) == {
        "task": name,
        "columns": ["mean"],
        "options": {},
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("segmentation", "must be one of classification, multilabel, regr"),
        ("my_tasks", "or 'module:Class' for one of your own"),
        ("my_tasks:", "or 'module:Class' for one of your own"),
        ("no_such_module:Own", "cannot be imported.*PYTHONPATH"),
        ("json:Own", "the module 'json' has no class 'Own'"),
        ("json:JSONDecoder", "JSONDecoder must be a subclass of"),
        ("json:dumps", "dumps must be a subclass of"),
        (".relative:Own", "or 'module:Class' for one of your own"),
    ],
)
def test_a_name_without_a_task_is_an_error(name, message):
    with pytest.raises(ValueError, match=message) as error:
        task_class(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (OldBrightness, r"head\(specs\).*accumulator.*lacks loss, metrics, of"),
        (OldHead, r"head\(specs\) gives a model with outputs by name"),
    ],
)
def test_a_class_for_the_old_contract_is_told_what_changed(kind, message):
    with pytest.raises(ValueError, match=message) as error:
        task_class(f"{__name__}:{kind.__name__}")
    assert "\n" not in str(error.value)


def test_a_description_that_lacks_something_is_an_error():
    with pytest.raises(ValueError, match="Missing: columns, options"):
        from_json({"task": "classification"})
