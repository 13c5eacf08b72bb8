"""Many learning rates at once equal each of them alone, in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from byol_tf.evaluation.linear_probe import LinearProbes, choose_probe

DIM, CLASSES, BATCH, STEPS = 5, 3, 16, 12


def fixed_batches(seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, (STEPS, BATCH))
    features = rng.normal(size=(STEPS, BATCH, DIM)) + 2 * np.eye(3, 5)[labels]
    return features.astype(np.float32), labels


def trained_alone(features, labels, rate, weights=None):
    """The protocol for one rate, written out."""
    w, b = np.zeros((DIM, CLASSES)), np.zeros(CLASSES)
    moved_w, moved_b = np.zeros_like(w), np.zeros_like(b)
    for step, (x, y) in enumerate(zip(features, labels, strict=True)):
        if weights is not None:
            x, y = x[weights[step]], y[weights[step]]
        slope = (softmax(x @ w + b, axis=1) - np.eye(CLASSES)[y]) / len(y)
        now = rate * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        grad_w, grad_b = x.T @ slope, slope.sum(axis=0)
        moved_w = 0.9 * moved_w + grad_w
        moved_b = 0.9 * moved_b + grad_b
        w = w - now * (grad_w + 0.9 * moved_w)
        b = b - now * (grad_b + 0.9 * moved_b)
    return w, b


def test_all_rates_at_once_equal_each_rate_alone():
    features, labels = fixed_batches()
    rates = [1.0, 0.3, 0.02]
    probes = LinearProbes(DIM, CLASSES, rates, STEPS)
    for step in range(STEPS):
        losses = probes.update(
            tf.constant(step, tf.int64),
            tf.constant(features[step]),
            tf.constant(labels[step]),
            tf.ones([3, BATCH]),
        )
    for index, rate in enumerate(rates):
        weights, bias = trained_alone(features, labels, rate)
        ours = probes.classifier(index)
        np.testing.assert_allclose(ours.weights, weights, atol=2e-6)
        np.testing.assert_allclose(ours.bias, bias, atol=2e-6)
    assert losses[0] < np.log(CLASSES)


def test_the_first_step_is_that_of_keras():
    features, labels = fixed_batches()
    probes = LinearProbes(DIM, CLASSES, [0.7], 10**9)  # no decay
    layer = keras.layers.Dense(CLASSES, kernel_initializer="zeros")
    layer.build((None, DIM))
    optimizer = keras.optimizers.SGD(0.7, momentum=0.9, nesterov=True)
    for step in range(4):
        probes.update(
            tf.constant(step, tf.int64),
            tf.constant(features[step]),
            tf.constant(labels[step]),
            tf.ones([1, BATCH]),
        )
        with tf.GradientTape() as tape:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
                labels[step], layer(features[step])
            )
        variables = layer.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
    np.testing.assert_allclose(
        probes.classifier(0).weights, layer.kernel.numpy(), atol=1e-5
    )


def test_the_loss_is_the_cross_entropy_of_the_examples_that_count():
    features, labels = fixed_batches()
    probes = LinearProbes(DIM, CLASSES, [0.5, 0.5], STEPS)
    probes.weights.assign(np.random.default_rng(0).normal(size=(2, DIM, 3)))
    shares = np.ones((2, BATCH), np.float32)
    shares[1, 4:] = 0
    w = probes.weights.numpy()
    losses = probes.update(
        tf.constant(0, tf.int64),
        tf.constant(features[0]),
        tf.constant(labels[0]),
        tf.constant(shares),
    )
    for probe, count in ((0, BATCH), (1, 4)):
        p = softmax(features[0, :count] @ w[probe], axis=1)
        expected = -np.log(p[np.arange(count), labels[0, :count]]).mean()
        assert float(losses[probe]) == pytest.approx(expected, rel=1e-5)


def chosen(rates, seed=0):
    """A run over stored features, in which position p is row p of all."""
    features, labels = fixed_batches(seed)
    flat, known = features.reshape(-1, DIM), labels.ravel().astype(np.int32)
    held_out = np.arange(len(known)) % 8 == 0
    batches = [
        (tf.constant(features[step]), tf.range(BATCH) + BATCH * step)
        for step in range(STEPS)
    ]
    choice = choose_probe(
        batches,
        lambda images, step: images,
        known,
        held_out,
        flat[held_out],
        num_classes=CLASSES,
        learning_rates=rates,
        total_steps=STEPS,
    )
    return choice, features, labels, held_out


def test_the_rate_is_chosen_without_the_held_out_images():
    choice, features, labels, held_out = chosen([0.5, 0.001])
    kept = ~held_out.reshape(STEPS, BATCH)
    for rate, accuracy in choice.accuracies.items():
        w, b = trained_alone(features, labels, rate, weights=kept)
        x, y = features.reshape(-1, DIM)[held_out], labels.ravel()[held_out]
        assert accuracy == np.mean((x @ w + b).argmax(axis=1) == y)


def test_the_result_has_learned_from_all_images():
    choice, features, labels, _ = chosen([0.5, 0.001])
    weights, bias = trained_alone(features, labels, choice.value)
    np.testing.assert_allclose(choice.classifier.weights, weights, atol=2e-6)
    np.testing.assert_allclose(choice.classifier.bias, bias, atol=2e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rates_that_are_all_too_high_are_an_error():
    with pytest.raises(ValueError, match=r"low enough.*1e\+38"):
        chosen([1e38, 3e38])


def test_a_rate_that_is_too_high_is_not_chosen():
    choice, *_ = chosen([1e38, 0.5])
    assert choice.value == 0.5
    assert choice.accuracies[1e38] == 0
