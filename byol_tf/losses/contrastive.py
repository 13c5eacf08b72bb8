"""Contrastive losses, as pure functions.

Row i of both views is the same image. Given the vectors of all replicas, they
contrast with the images of all replicas.
"""

import tensorflow as tf

from byol_tf.losses.objectives import l2_normalize


def nt_xent(
    projection1: tf.Tensor, projection2: tf.Tensor, temperature: float = 0.2
) -> tf.Tensor:
    """Computes SimCLR's loss: find the other view among all other vectors.

    Args:
        projection1, projection2: projections of the views, float `[batch,
            dim]`.
        temperature: temperature of the softmax over cosines; positive. The
            paper uses 0.1 on ImageNet and 0.5 on CIFAR-10.

    Returns:
        float32 scalar, mean over the 2 batch vectors; log(2 batch - 1) if all
        vectors are equal.

    Reference: Chen et al. 2020, "A Simple Framework for Contrastive Learning of
    Visual Representations", section 2.1, equation 1.
    """
    vectors = _unit(tf.concat([projection1, projection2], axis=0))
    logits = tf.matmul(vectors, vectors, transpose_b=True) / temperature
    count = tf.shape(logits)[0]
    # Exclude each vector from its own candidates.
    logits = tf.linalg.set_diag(logits, tf.fill([count], logits.dtype.min))
    other_view = tf.roll(tf.range(count), count // 2, axis=0)
    return _cross_entropy(other_view, logits)


def info_nce(
    query1: tf.Tensor,
    query2: tf.Tensor,
    key1: tf.Tensor,
    key2: tf.Tensor,
    temperature: float = 0.2,
) -> tf.Tensor:
    """Computes MoCo v3's loss: find the other view's key in the batch.

    No gradient flows into the keys.

    Args:
        query1, query2: online predictions, float `[batch, dim]`.
        key1, key2: target projections, float `[batch, dim]`.
        temperature: temperature of the softmax over cosines; positive.

    Returns:
        float32 scalar, the sum of both directions, each scaled by twice the
        temperature; 4 temperature log(batch) if all vectors are equal.

    Reference: Chen, Xie and He 2021, "An Empirical Study of Training
    Self-Supervised Vision Transformers", algorithm 1.
    """
    return _find_keys(query1, key2, temperature) + _find_keys(
        query2, key1, temperature
    )


def triplet_semi_hard(
    projection1: tf.Tensor, projection2: tf.Tensor, margin: float = 0.2
) -> tf.Tensor:
    """Computes the triplet loss with semi-hard negatives of the batch.

    The anchor is view 1 of an image, the positive is its view 2. The negative
    is view 2 of another image: the nearest one that is farther than the
    positive, or the farthest one if there is none. Distances are squared,
    between unit vectors.

    Args:
        projection1, projection2: projections of the views, float `[batch, dim]`
            with a batch of at least 2.
        margin: by how much the negative must be farther than the positive, as a
            squared distance; above 0 and at most 4.

    Returns:
        float32 scalar, mean over the anchors, between 0 and 4 + margin; the
        margin if all vectors are equal.

    Reference: Schroff et al. 2015, "FaceNet", sections 3.1 and 3.2.
    """
    anchors, candidates = _unit(projection1), _unit(projection2)
    distances = 2.0 - 2.0 * tf.matmul(anchors, candidates, transpose_b=True)
    positive = tf.linalg.diag_part(distances)
    # Strict, which excludes the positive itself.
    farther = distances > positive[:, tf.newaxis]
    highest = distances.dtype.max
    nearest = tf.reduce_min(tf.where(farther, distances, highest), axis=1)
    negatives = tf.linalg.set_diag(distances, tf.fill(tf.shape(positive), -1.0))
    farthest = tf.reduce_max(negatives, axis=1)
    negative = tf.where(tf.reduce_any(farther, axis=1), nearest, farthest)
    return tf.reduce_mean(tf.nn.relu(positive - negative + margin))


def _find_keys(queries, keys, temperature):
    keys = tf.stop_gradient(keys)
    logits = tf.matmul(_unit(queries), _unit(keys), transpose_b=True)
    labels = tf.range(tf.shape(logits)[0])
    return 2.0 * temperature * _cross_entropy(labels, logits / temperature)


def _cross_entropy(labels, logits):
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


def _unit(vectors):
    return l2_normalize(tf.cast(vectors, tf.float32))
