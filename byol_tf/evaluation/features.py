"""Extraction of representations with a frozen encoder."""

import functools
import math
import sys
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_number
from byol_tf.data.examples import Examples
from byol_tf.runtime import has_accelerator

Prepare = Callable[[tf.Tensor], tf.Tensor]

# Input values that a CPU encodes at once: 512 images of 96 pixels, 94 of 224.
# Larger batches took gigabytes.
MOST_VALUES = 512 * 96 * 96 * 3


class FeatureExtractor:
    """Runs an encoder in inference mode over arrays of any length.

    It is traced once for a shape and dtype of inputs and always uses the
    encoder's current weights. Every batch has `batch_size` rows; the last one
    is padded by repeating its last row.

    Args:
        encoder: Keras model from `[batch, ...]` to `[batch, dim]`.
        prepare: None, or a function applied to every batch in the graph, such
            as a view that turns uint8 images into float32 in [0, 1].
        batch_size: inputs encoded at once, 1 or more; fewer if they are large
            and there is no accelerator.
    """

    def __init__(
        self,
        encoder: keras.Model,
        prepare: Prepare | None = None,
        batch_size: int = 512,
    ):
        check_number("batch_size", batch_size, 1)
        self.encoder = encoder
        self.prepare = prepare
        self.batch_size = min(batch_size, most_at_once(encoder))
        self._encode = tf.function(self._forward, autograph=False)

    def _forward(self, batch):
        if self.prepare is not None:
            batch = self.prepare(batch)
        if self.batch_size % 2 or has_accelerator():
            return self.encoder(batch, training=False)
        # Two halves run in parallel, even if each op has one thread, see
        # `runtime.share_cores`.
        halves = [
            self.encoder(_half(batch, number), training=False)
            for number in range(2)
        ]
        return keras.tree.map_structure(
            lambda *outputs: tf.concat(outputs, axis=0), *halves
        )

    def __call__(
        self, inputs: np.ndarray | Examples, progress: Callable | None = None
    ) -> np.ndarray:
        """Encodes all inputs, in order.

        Args:
            inputs: array or memory map `[n, ...]` of any dtype that `prepare`
                or the encoder takes, with wider floats cast to float32; or
                examples. Reads one batch at a time.
            progress: None, or a wrapper of an iterable, such as `tqdm.tqdm`.

        Returns:
            float32 `[n, dim]`, which may hold non-finite values.

        Raises:
            ValueError: if there are no inputs, or the encoder does not return
                one vector per input.
        """
        read = _reader(inputs, self.prepare)
        inputs = inputs.rows if isinstance(inputs, Examples) else inputs
        count = len(keras.tree.flatten(inputs)[0])
        if count == 0:
            raise ValueError(
                "`inputs` must hold at least one example. "
                f"Received: inputs.shape={np.shape(inputs)}"
            )
        starts = range(0, count, self.batch_size)
        features = None
        for start in progress(starts) if progress else starts:
            encoded = self._encode_batch(
                read(slice(start, start + self.batch_size))
            )
            if features is None:
                features = np.empty((count, encoded.shape[1]), np.float32)
            features[start : start + len(encoded)] = encoded
        return features

    def _encode_batch(self, batch):
        size = len(keras.tree.flatten(batch)[0])
        batch = keras.tree.map_structure(
            functools.partial(_padded, count=self.batch_size), batch
        )
        encoded = self._encode(batch)
        shape = getattr(encoded, "shape", None)
        if shape is None or len(shape) != 2 or shape[0] != self.batch_size:
            raise ValueError(
                "`encoder` must return one vector for each input, "
                f"[{self.batch_size}, dim]. Received: "
                f"{type(encoded).__name__} of shape {shape}. Add global "
                "pooling or a Flatten layer, or pick one of its outputs."
            )
        return tf.cast(encoded, tf.float32).numpy()[:size]


def most_at_once(encoder: keras.Model) -> int:
    """Returns how many inputs of this size to encode at once on a CPU."""
    inputs = [x.shape[1:] for x in getattr(encoder, "inputs", None) or ()]
    values = sum(math.prod(size or 1 for size in shape) for shape in inputs)
    if not values or has_accelerator():
        return sys.maxsize
    return max(MOST_VALUES // values // 2 * 2, 2)  # even, for two halves


def _half(batch, number):
    return keras.tree.map_structure(lambda x: tf.split(x, 2)[number], batch)


def _reader(inputs, prepare):
    """Returns a function from a slice to a batch of rows."""
    if isinstance(inputs, dict):
        return lambda part: {k: rows[part] for k, rows in inputs.items()}
    if not isinstance(inputs, Examples):
        return inputs.__getitem__
    positions = np.arange(inputs.num_examples)
    return lambda part: inputs.take(positions[part], prepare)


def _padded(batch, count):
    """Returns a batch as a tensor, its last row repeated up to `count`."""
    batch = np.asarray(batch)
    if np.issubdtype(batch.dtype, np.floating):
        batch = batch.astype(np.float32, copy=False)
    missing = count - len(batch)
    if missing:
        batch = np.concatenate([batch, np.repeat(batch[-1:], missing, 0)])
    return tf.convert_to_tensor(batch)


def extract_features(
    encoder: keras.Model,
    inputs: np.ndarray,
    *,
    prepare: Prepare | None = None,
    batch_size: int = 512,
    progress: Callable | None = None,
) -> np.ndarray:
    """Encodes inputs to float32 `[n, dim]`, see `FeatureExtractor`.

    To encode several times, keep a `FeatureExtractor`: it is traced once.

    Args:
        encoder: Keras model from `[batch, ...]` to `[batch, dim]`.
        inputs: `[n, ...]`.
        prepare: None, or a function applied to every batch before the encoder.
        batch_size: inputs encoded at once, 1 or more.
        progress: None, or a wrapper of an iterable, such as `tqdm.tqdm`.
    """
    return FeatureExtractor(encoder, prepare, batch_size)(inputs, progress)
