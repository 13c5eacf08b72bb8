"""One step by hand, and what a step leaves alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.jobs.finetune.trainer import FineTuner, Weights
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.resnet import ResNet
from byol_tf.runs.encoder import load_encoder
from byol_tf.tasks.classification import Classification
from byol_tf.tasks.task import VectorTask, head_inputs
from tests.support.encoders import image_encoder
from tests.support.finetuning import make_settings

SHAPE = (4, 4, 1)
SPEC = tf.TensorSpec([None, *SHAPE])


def linear_encoder():
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="features"),
        ]
    )


def resnet(dtype=None):
    return ResNet(SHAPE, blocks=(1,), widths=(4,), dtype=dtype)


def make(encoder, **update):
    keras.utils.set_random_seed(0)
    task = Classification(("a", "b", "c"))
    return FineTuner(
        encoder, task, SPEC, CentreView(SHAPE[0]), make_settings(**update)
    )


def batch(count=6):
    rng = np.random.default_rng(0)
    images = rng.random((count, *SHAPE), np.float32)
    return tf.constant(images), tf.one_hot(np.arange(count) % 3, 3)


def gradients(weights, images, targets):
    """Of the mean cross entropy of a linear encoder and head, in NumPy."""
    kernel, bias, head_kernel, head_bias = weights
    x = np.asarray(images, np.float64).reshape(len(images), -1)
    features = x @ kernel + bias
    logits = features @ head_kernel + head_bias
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    d = (p - np.asarray(targets)) / len(x)
    back = d @ head_kernel.T
    return [x.T @ back, back.sum(0), features.T @ d, d.sum(0)]


def both(tuner):
    weights = tuner.weights()
    return [w.astype(np.float64) for w in (*weights.encoder, *weights.head)]


def test_two_steps_of_nesterov_with_decay_and_a_rate_for_the_head():
    tuner = make(linear_encoder(), head_rate=5.0)
    images, targets = batch()
    expected, momenta = both(tuner), [0.0] * 4
    rate, decay = 0.1, 0.3
    for _ in range(2):
        tuner.step(images, targets, rate=rate, decay=decay, whole=True)
        values = gradients(expected, images, targets)
        for i, (w, g) in enumerate(zip(expected, values, strict=True)):
            g = g + decay * w * (w.ndim > 1)
            own = rate * (5.0 if i >= 2 else 1.0)
            momenta[i] = 0.9 * momenta[i] - own * g
            expected[i] = w + 0.9 * momenta[i] - own * g
    for found, wanted in zip(both(tuner), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-6)


def test_adamw_decays_apart_from_the_gradient():
    tuner = make(linear_encoder(), **{"optimizer.name": "adamw"})
    images, targets = batch()
    before = both(tuner)
    tuner.step(images, targets, rate=0.01, decay=0.5, whole=True)
    values = gradients(before, images, targets)
    for found, w, g in zip(both(tuner), before, values, strict=True):
        # The first step of Adam is the sign of the gradient.
        wanted = w * (1 - 0.005 * (w.ndim > 1)) - 0.01 * np.sign(g)
        np.testing.assert_allclose(found, wanted, atol=2e-4)


def test_the_loss_is_the_mean_before_the_update():
    tuner = make(linear_encoder())
    images, targets = batch()
    outputs = tuner.head({"vector": tuner.encoder(images)})["logits"]
    expected = keras.losses.categorical_crossentropy(
        targets, outputs, from_logits=True
    )
    loss = tuner.step(images, targets, rate=0.1, decay=0.0, whole=True)
    assert float(loss) == pytest.approx(float(np.mean(expected)), rel=1e-6)


def test_the_head_alone_leaves_the_encoder_bit_for_bit():
    tuner = make(resnet())
    before = tuner.weights()
    for _ in range(3):
        tuner.step(*batch(), rate=0.5, decay=0.1, whole=False)
    after = tuner.weights()
    for old, new in zip(before.encoder, after.encoder, strict=True):
        np.testing.assert_array_equal(old, new)
    assert any(
        (a != b).any() for a, b in zip(before.head, after.head, strict=True)
    )


@pytest.mark.parametrize("whole", [True, False])
def test_the_head_of_long_vectors_has_a_lower_rate(whole):
    rows = np.asarray(batch()[0])
    images, labels = np.uint8(255 * rows), np.full(len(rows), -1, np.int32)
    updates = []
    for length in (1.0, 40.0):
        tuner = make(linear_encoder(), head_rate=2.0)
        layer = tuner.encoder.layers[-1]
        layer.set_weights([length * w for w in layer.get_weights()])
        share = tuner.pace_head(Examples(images, labels), 4)
        vectors = tuner.encoder.predict(images / np.float32(255), verbose=0)
        square = float(np.square(vectors).sum(axis=1).mean())
        assert share == pytest.approx(min(1.0, 256 / square), rel=1e-4)
        before = both(tuner)
        tuner.step(*batch(), rate=0.1, decay=0.0, whole=whole)
        own = 0.19 * share * (2.0 if whole else 1.0)
        gradient = gradients(before, *batch())[3]
        np.testing.assert_allclose(
            both(tuner)[3], before[3] - own * gradient, rtol=1e-4, atol=1e-6
        )
        updates.append(share)
    assert updates[0] == 1.0 and updates[1] < 1.0


def test_adams_rate_does_not_fall_with_the_length_of_vectors():
    tuner = make(linear_encoder(), **{"optimizer.name": "adamw"})
    layer = tuner.encoder.layers[-1]
    layer.set_weights([1000 * w for w in layer.get_weights()])
    rows = np.uint8(255 * np.asarray(batch()[0]))
    examples = Examples(rows, np.full(len(rows), -1, np.int32))
    assert tuner.pace_head(examples, 4) == 1.0


def test_the_head_alone_takes_the_rate_as_it_is():
    tuner = make(linear_encoder(), head_rate=5.0)
    images, targets = batch()
    before = both(tuner)
    tuner.step(images, targets, rate=0.1, decay=0.0, whole=False)
    values = gradients(before, images, targets)
    for found, w, g in zip(
        both(tuner)[2:], before[2:], values[2:], strict=True
    ):
        np.testing.assert_allclose(found, w - 0.19 * g, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("batch_norm", ["train", "frozen"])
def test_batch_statistics_move_unless_frozen_and_the_weights_always(
    batch_norm,
):
    tuner = make(resnet(), batch_norm=batch_norm)
    names = [weight.path for weight in tuner.encoder.weights]
    before = tuner.weights().encoder
    tuner.step(*batch(), rate=0.5, decay=0.0, whole=True)
    changed = {
        name
        for name, old, new in zip(
            names, before, tuner.weights().encoder, strict=True
        )
        if (old != new).any()
    }
    moved = any("moving" in name for name in changed)
    assert moved == (batch_norm == "train")
    assert any("kernel" in name for name in changed)
    assert any("gamma" in name for name in changed)


def test_nothing_of_a_training_is_left_after_a_reset():
    tuner = make(linear_encoder())
    start = tuner.weights()
    results = []
    for rate in (0.1, 0.1, 0.7, 0.1):
        tuner.reset(start)
        for _ in range(2):
            tuner.step(*batch(), rate=rate, decay=0.0, whole=True)
        results.append(both(tuner))
    for again in (results[1], results[3]):
        for one, two in zip(results[0], again, strict=True):
            np.testing.assert_array_equal(one, two)
    assert np.abs(results[2][0] - results[0][0]).max() > 1e-3


def test_settings_do_not_trace_the_step_anew():
    tuner = make(linear_encoder())
    for rate in (0.1, 0.2):
        for decay in (0.0, 0.1):
            tuner.step(*batch(), rate=rate, decay=decay, whole=True)
    assert tuner._updates[True].experimental_get_tracing_count() == 1


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_takes_about_the_same_step(dtype):
    exact, half = make(resnet()), make(resnet(dtype))
    start = exact.weights()
    changes = []
    for tuner in (exact, half):
        tuner.reset(start)
        tuner.step(*batch(), rate=1.0, decay=0.0, whole=True)
        after = tuner.weights()
        changes.append(
            np.concatenate(
                [
                    (new - old).ravel()
                    for old, new in zip(
                        (*start.encoder, *start.head),
                        (*after.encoder, *after.head),
                        strict=True,
                    )
                ]
            )
        )
    error = np.linalg.norm(changes[1] - changes[0])
    assert error < 0.05 * np.linalg.norm(changes[0])


def test_the_classifier_gives_probabilities_and_loads_in_safe_mode(tmp_path):
    tuner = make(resnet())
    images = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)
    vectors = tuner.encoder(images.astype(np.float32) / 255)
    outputs = tuner.head({"vector": vectors})["logits"].numpy()
    tuner.classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    found = loaded(images.astype(np.float32) / 255)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_new_heads_follow_from_the_seed():
    tuner = make(linear_encoder())
    first, again, other = (tuner.new_head(seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()


def test_without_a_random_view_a_step_sees_whole_images():
    tuner = make(linear_encoder())
    images = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)
    views, targets = tuner.views(
        tf.constant(images), tf.ones((5, 3)), seed=0, step=3
    )
    np.testing.assert_allclose(views, images / 255, atol=1e-6)
    np.testing.assert_array_equal(targets, np.ones((5, 3)))


def test_metrics_and_loss_do_not_depend_on_the_batches():
    tuner = make(resnet())
    rows = np.random.default_rng(0).integers(0, 256, (7, *SHAPE), np.uint8)
    targets = np.eye(3, dtype=np.float32)[np.arange(7) % 3]
    examples = Examples(rows, np.full(7, -1, np.int32))
    whole = tuner.judge(examples, targets, 7)
    assert tuner.judge(examples, targets, 3) == pytest.approx(whole, rel=1e-6)
    logits = tuner.head({"vector": tuner.encoder(np.float32(rows) / 255)})
    expected = keras.losses.categorical_crossentropy(
        targets, logits["logits"], from_logits=True
    )
    assert whole["loss"] == pytest.approx(float(np.mean(expected)), rel=1e-5)


class Frames(VectorTask):
    """The mean of each frame of a signal, as many as it has."""

    name = "frames"
    metric = "nearness"
    prediction = "frames"
    lengths = None

    of = targets = metrics = rows = None

    def consumes(self, levels):
        return tuple(name for name in levels if levels[name] == 4)

    def head(self, specs):
        inputs = head_inputs(specs)
        (frames,) = inputs.values()
        frames = keras.layers.Dense(1, dtype="float32")(frames)
        return keras.Model(inputs, {"frames": frames[..., 0]})

    def loss(self, targets, outputs):
        self.lengths.assign(outputs["length"])
        inside = tf.sequence_mask(outputs["length"], 3, tf.float32)
        return tf.reduce_sum(inside * (outputs["frames"] - targets) ** 2, -1)


def test_outputs_of_a_padded_axis_have_its_length():
    signal = keras.Input((12, 1), name="signal")
    length = keras.Input((), dtype="int32", name="length")
    frames = keras.layers.Conv1D(2, 4, 4, name="frames")(signal)
    vector = keras.layers.GlobalAveragePooling1D()(frames)
    encoder = keras.Model({"signal": signal, "length": length}, vector)
    task = Frames(("mean",))
    task.lengths = tf.Variable([0, 0, 0])
    spec = {
        "signal": tf.TensorSpec([None, 12, 1]),
        "length": tf.TensorSpec([None], tf.int32),
    }
    levels = {"frames": ("frames", 4)}
    tuner = FineTuner(
        encoder, task, spec, lambda rows: rows, make_settings(), levels=levels
    )
    batch = {"signal": tf.ones([3, 12, 1]), "length": tf.constant([12, 5, 4])}
    before = tuner.weights().head
    tuner.step(batch, tf.ones([3, 3]), rate=0.1, decay=0.0, whole=False)
    assert task.lengths.numpy().tolist() == [3, 2, 1]
    assert (before[0] != tuner.weights().head[0]).any()
    assert tuner.classifier(batch)["length"].numpy().tolist() == [3, 2, 1]


def test_the_first_step_from_a_saved_encoder_keeps_its_statistics(tmp_path):
    encoder = resnet()
    for norm in norms_of(encoder):
        norm.moving_variance.assign(norm.moving_variance * 0 + 7)
    image_encoder(encoder, SHAPE[0], SHAPE[-1]).save(tmp_path)
    loaded = load_encoder(tmp_path)
    tuner = make(loaded.fresh(0).model, batch_norm="train")
    head = tuner.weights().head
    tuner.reset(Weights(loaded.model.get_weights(), head))
    tuner.step(*batch(), rate=0.1, decay=0.0, whole=True)
    kept = [np.asarray(x.moving_variance) for x in norms_of(tuner.encoder)]
    assert kept and min(map(np.min, kept)) >= 0.9 * 7  # decay 0.9


def norms_of(model):
    return [x for x in model.layers if hasattr(x, "moving_variance")]
