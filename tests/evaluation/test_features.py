"""byol_tf.evaluation.features."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.evaluation import features as features_module
from byol_tf.evaluation.features import FeatureExtractor, extract_features


def linear_encoder(shape=(4,), dim=3):
    inputs = keras.Input(shape)
    outputs = keras.layers.Dense(dim)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, outputs)


def expected(encoder, inputs):
    kernel, bias = encoder.get_weights()
    return inputs.reshape(len(inputs), -1) @ kernel + bias


def signals(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 4)).astype("f")


@pytest.mark.parametrize("batch_size", [7, 8])  # whole, and in halves
@pytest.mark.parametrize("count", [1, 5, 8, 9, 21])
def test_any_number_of_inputs_keeps_its_order(count, batch_size):
    encoder, inputs = linear_encoder(), signals(count)
    features = extract_features(encoder, inputs, batch_size=batch_size)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected(encoder, inputs), atol=1e-6)


def test_prepare_is_applied_to_uint8_images():
    encoder = linear_encoder((2, 2, 1))
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 2, 1))
    images = images.astype(np.uint8)
    features = extract_features(
        encoder,
        images,
        prepare=lambda x: tf.cast(x, tf.float32) / 255,
        batch_size=4,
    )
    np.testing.assert_allclose(
        features, expected(encoder, images / 255), atol=1e-6
    )


def test_one_trace_serves_all_lengths_and_follows_the_weights():
    traces = []
    encoder = linear_encoder()

    def prepare(batch):
        traces.append(batch.shape)
        return batch

    extract = FeatureExtractor(encoder, prepare, batch_size=8)
    extract(signals(21))
    encoder.set_weights([w + 1 for w in encoder.get_weights()])
    features = extract(signals(3))
    assert traces == [(8, 4)]
    np.testing.assert_allclose(
        features, expected(encoder, signals(3)), atol=1e-6
    )


def test_encoder_runs_in_inference_mode():
    inputs = keras.Input((4,))
    norm = keras.layers.BatchNormalization(epsilon=0.0)
    encoder = keras.Model(inputs, norm(keras.layers.Dropout(0.5)(inputs)))
    norm.moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    features = extract_features(encoder, signals(6), batch_size=4)
    np.testing.assert_allclose(features, signals(6) - [1, 2, 3, 4], atol=1e-6)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), [1, 2, 3, 4])


def test_low_precision_encoder_gives_float32():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, dtype="mixed_bfloat16")(inputs)
    encoder = keras.Model(inputs, outputs)
    features = extract_features(encoder, signals(5), batch_size=4)
    assert features.dtype == np.float32
    np.testing.assert_allclose(
        features, expected(encoder, signals(5)), atol=0.05
    )


def test_memory_map_and_float64_are_read(tmp_path):
    path = tmp_path / "signals.npy"
    np.save(path, signals(10).astype(np.float64))
    encoder = linear_encoder()
    features = extract_features(
        encoder, np.load(path, mmap_mode="r"), batch_size=4
    )
    np.testing.assert_allclose(
        features, expected(encoder, signals(10)), atol=1e-6
    )


def test_nan_is_passed_on():
    inputs = signals(5)
    inputs[2] = np.nan
    features = extract_features(linear_encoder(), inputs, batch_size=4)
    np.testing.assert_array_equal(
        np.isnan(features).all(axis=1), [False, False, True, False, False]
    )


def test_progress_wraps_the_batches():
    seen = []

    def progress(batches):
        for batch in batches:
            seen.append(batch)
            yield batch

    encoder = linear_encoder()
    extract_features(encoder, signals(9), batch_size=4, progress=progress)
    assert seen == [0, 4, 8]


def test_no_inputs_is_an_error():
    with pytest.raises(ValueError, match=r"at least one example.*\(0, 4\)"):
        extract_features(linear_encoder(), signals(0))


@pytest.mark.parametrize("side,count", [(8, 512), (128, 288), (2000, 2)])
def test_a_cpu_encodes_fewer_large_inputs_at_once(side, count, monkeypatch):
    monkeypatch.setattr(features_module, "has_accelerator", lambda: False)
    pixels = keras.Input((side, side, 3))
    vector = keras.layers.GlobalAveragePooling2D()(pixels)
    extract = FeatureExtractor(keras.Model(pixels, vector))
    assert extract.batch_size == count


def test_batch_size_zero_is_an_error():
    with pytest.raises(ValueError, match="batch_size=0"):
        FeatureExtractor(linear_encoder(), batch_size=0)


def test_encoder_without_pooling_is_an_error():
    inputs = keras.Input((8, 8, 1))
    encoder = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ValueError, match=r"one vector.*\(4, 6, 6, 2\)"):
        extract_features(encoder, np.zeros((4, 8, 8, 1), "f"), batch_size=4)


def test_encoder_with_two_outputs_is_an_error():
    inputs = keras.Input((4,))
    encoder = keras.Model(inputs, [inputs + 1, inputs + 2])
    with pytest.raises(ValueError, match="Received: list"):
        extract_features(encoder, signals(4), batch_size=4)
