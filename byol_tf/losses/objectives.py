"""Losses on the outputs of both views, as pure functions."""

import tensorflow as tf


def l2_normalize(vectors: tf.Tensor, epsilon: float = 1e-12) -> tf.Tensor:
    """Scales float vectors `[batch, dim]` to unit length; zero stays zero.

    Args:
        vectors: vectors to scale.
        epsilon: lower bound of the squared length.

    Reference: `l2_normalize` in the official BYOL helpers.
    """
    squared = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return vectors * tf.math.rsqrt(tf.maximum(squared, epsilon))


def regression_loss(prediction: tf.Tensor, projection: tf.Tensor) -> tf.Tensor:
    """Computes the squared distance of normalised prediction and projection.

    Args:
        prediction: output of the predictor, float32 `[batch, dim]`.
        projection: output of the target projector, float32 `[batch, dim]`.

    Returns:
        float32 `[batch]`, equal to `2 - 2 cos(prediction, projection)`: 0 if
        they are parallel, 4 if they are opposite.

    Reference: BYOL, section 3.1, equation 2.
    """
    difference = l2_normalize(prediction) - l2_normalize(projection)
    return tf.reduce_sum(tf.square(difference), axis=-1)


def byol_loss(
    prediction1: tf.Tensor,
    prediction2: tf.Tensor,
    projection1: tf.Tensor,
    projection2: tf.Tensor,
) -> tf.Tensor:
    """Computes the symmetrised BYOL loss of one batch.

    Each view's prediction regresses the *other* view's target projection. No
    gradient flows into the projections.

    Args:
        prediction1, prediction2: outputs of the online network, float32
            `[batch, dim]`.
        projection1, projection2: outputs of the target network, float32
            `[batch, dim]`.

    Returns:
        float32 scalar, mean over the batch, between 0 and 8.

    Reference: BYOL, section 3.1 (loss and its symmetric counterpart).
    """
    loss = regression_loss(prediction1, tf.stop_gradient(projection2))
    loss += regression_loss(prediction2, tf.stop_gradient(projection1))
    return tf.reduce_mean(loss)


def negative_cosine(
    prediction1: tf.Tensor,
    prediction2: tf.Tensor,
    projection1: tf.Tensor,
    projection2: tf.Tensor,
) -> tf.Tensor:
    """Computes SimSiam's loss: minus the cosine to the other view's projection.

    No gradient flows into the projections. On the same vectors it equals
    `byol_loss / 4 - 1`, but the projections come from the trained network
    itself.

    Args:
        prediction1, prediction2: float `[batch, dim]`.
        projection1, projection2: float `[batch, dim]`.

    Returns:
        float32 scalar, mean of both directions over the batch: -1 if
        predictions and projections are parallel, 1 if they are opposite.

    Reference: Chen and He 2021, "Exploring Simple Siamese Representation
    Learning", section 3, equations 1 to 4.
    """
    outputs = (prediction1, prediction2, projection1, projection2)
    distance = byol_loss(*(tf.cast(o, tf.float32) for o in outputs))
    return distance / 4.0 - 1.0


def feature_spread(representation: tf.Tensor) -> tf.Tensor:
    """Computes the standard deviation of unit vectors, times sqrt(features).

    Args:
        representation: float32 `[batch, features]`.

    Returns:
        float32 scalar: 1 if the representations fill the sphere, 0 if they have
        collapsed.

    Reference: Chen and He 2021, section 4.1.
    """
    unit = l2_normalize(tf.stop_gradient(representation))
    deviation = tf.reduce_mean(tf.math.reduce_std(unit, axis=0))
    return deviation * tf.sqrt(tf.cast(unit.shape[-1], tf.float32))


def classification(
    logits: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes mean cross-entropy and accuracy over the labelled examples.

    Args:
        logits: float32 `[batch, classes]`.
        labels: int `[batch]`, -1 if unknown.

    Returns:
        Two float32 scalars, 0 if no example is labelled.
    """
    labelled = tf.cast(labels >= 0, tf.float32)
    count = tf.maximum(tf.reduce_sum(labelled), 1.0)
    labels = tf.maximum(tf.cast(labels, tf.int64), 0)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    hits = tf.cast(tf.argmax(logits, -1) == labels, tf.float32)
    return (
        tf.reduce_sum(losses * labelled) / count,
        tf.reduce_sum(hits * labelled) / count,
    )
