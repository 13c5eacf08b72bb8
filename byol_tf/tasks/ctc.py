"""Connectionist temporal classification: head, loss and decoding.

Label 0 is the "blank", no letter; letters begin at 1.
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from byol_tf.tasks.task import head_inputs

UNKNOWN = 2**30  # label of a letter outside the alphabet
WIDTH = 128  # channels of the head
_DILATIONS = (1, 2, 4)


def ctc_head(specs: Mapping[str, tf.TensorSpec], labels: int) -> keras.Model:
    """Makes a head from frames to `logits`, float32 `[batch, frames, labels]`.

    Dilated convolutions over seven frames to either side give each letter its
    context.
    """
    inputs = head_inputs(specs)
    (frames,) = inputs.values()
    options = {"dtype": "float32"}
    x = keras.layers.LayerNormalization(**options)(frames)
    x = keras.layers.Dense(WIDTH, "relu", **options)(x)
    for dilation in _DILATIONS:
        x = _residual(x, dilation, options)
    x = keras.layers.Dense(labels, name="logits", **options)(x)
    return keras.Model(inputs, {"logits": x}, name="head")


def _residual(x, dilation, options):
    convolved = keras.layers.Conv1D(
        WIDTH,
        3,
        padding="same",
        dilation_rate=dilation,
        activation="relu",
        **options,
    )(x)
    summed = keras.layers.Add(**options)([x, convolved])
    return keras.layers.LayerNormalization(**options)(summed)


def frames_needed(targets: np.ndarray) -> np.ndarray:
    """Returns the fewest frames for each text, int `[n]`.

    Args:
        targets: int `[n, longest]`, 0 after the end.
    """
    repeats = (targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] != 0)
    return (targets != 0).sum(axis=1) + repeats.sum(axis=1)


@tf.function(autograph=False, reduce_retracing=True)
def ctc_loss(
    targets: tf.Tensor, logits: tf.Tensor, lengths: tf.Tensor
) -> tf.Tensor:
    """Computes the CTC loss per letter, float32 `[batch]`.

    Texts that are empty, have unknown letters, or need more frames than there
    are have loss 0, since a finite loss would be the largest of all.

    Args:
        targets: int32 `[batch, longest]`, 0 after the end.
        logits: float32 `[batch, frames, labels]`.
        lengths: int32 `[batch]`, valid frames.
    """
    in_alphabet = tf.reduce_all(targets < tf.shape(logits)[2], axis=1)
    letters = tf.math.count_nonzero(targets, axis=1, dtype=tf.int32)
    repeats = (targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] > 0)
    min_frames = letters + tf.math.count_nonzero(
        repeats, axis=1, dtype=tf.int32
    )
    is_valid = in_alphabet & (letters > 0) & (min_frames <= lengths)
    # Replace unused targets, whose gradient would be NaN.
    targets = tf.where(is_valid[:, None], targets, 1)
    letters = tf.where(is_valid, letters, 1)
    losses = tf.nn.ctc_loss(
        targets,
        logits,
        letters,
        tf.maximum(lengths, 1),
        logits_time_major=False,
        blank_index=0,
    )
    return tf.where(is_valid, losses / tf.cast(letters, tf.float32), 0.0)


def best_labels(
    logits: tf.Tensor, lengths: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the best label of each frame, 0 after the end, and confidences.

    Arguments are as of `ctc_loss`.

    Returns:
        int32 `[batch, frames]`; its probability, float32 of the same shape;
        float32 `[batch]`, the mean probability in the frames where letters
        begin, or without letters that of blank over all frames.
    """
    labels = tf.argmax(logits, axis=-1, output_type=tf.int32)
    inside = tf.range(tf.shape(logits)[1]) < lengths[:, None]
    labels = tf.where(inside, labels, 0)
    previous = tf.pad(labels, [[0, 0], [1, 0]])[:, :-1]
    begins = (labels > 0) & (labels != previous)
    silent = ~tf.reduce_any(begins, axis=1, keepdims=True)
    weights = tf.cast(begins | (silent & inside), tf.float32)
    probabilities = tf.reduce_max(tf.nn.softmax(logits), axis=-1)
    total = tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)
    probabilities = tf.where(inside, probabilities, 0.0)
    confidence = tf.reduce_sum(probabilities * weights, axis=1) / total
    return labels, probabilities, confidence


def collapse(frames: tf.Tensor) -> tf.Tensor:
    """Merges repeated labels of `[frames]` and drops 0."""
    previous = tf.concat([[0], frames[:-1]], axis=0)
    return tf.boolean_mask(frames, (frames > 0) & (frames != previous))


def beam_search(logits: tf.Tensor, lengths: tf.Tensor, width: int) -> tf.Tensor:
    """Returns labels of the most likely text among `width` prefixes.

    `logits` and `lengths` are as of `ctc_loss`.

    Returns:
        int32 `[batch, letters]`, 0 after the end.
    """
    # TensorFlow expects blank last, and time first.
    blank_last = tf.concat([logits[..., 1:], logits[..., :1]], axis=-1)
    (labels,), _ = tf.nn.ctc_beam_search_decoder(
        tf.transpose(blank_last, [1, 0, 2]), lengths, width, top_paths=1
    )
    return tf.cast(tf.sparse.to_dense(labels, default_value=-1) + 1, tf.int32)
