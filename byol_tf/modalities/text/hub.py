"""Language models of Keras Hub, from a folder that holds a preset.

`save_to_preset` of backbone and tokenizer write it. Nothing is downloaded.
"""

import base64
import contextlib
import os
import pathlib
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from byol_tf.files import loading
from byol_tf.layers.graph import rebuild
from byol_tf.lines import first_line
from byol_tf.modalities.text.encoder import MeanOfWords
from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.tokens import NOTHING
from byol_tf.runtime import dtype_policy

NAME = "keras_hub"  # value of `encoder.name`
_TOKENS, _MASK, _SEGMENTS = "token_ids", "padding_mask", "segment_ids"


@keras.saving.register_keras_serializable("byol_tf")
class Subwords(Tokens):
    """Converts texts to the ids of a tokenizer of Keras Hub.

    Args:
        tokenizer: serialised, with its vocabulary in the configuration, as
            Keras' safe mode reads no other files.
        **bag: arguments of `Tokens`, whose TF-IDF is the baseline. `words` is
            the number of ids, with those that mark the start and the end.

    Input: strings `[batch]`. Output: float32 `[batch, words, 1]`, the ids of
    the tokenizer plus 1; 0 for nothing.
    """

    slots = 1
    library = NAME

    def __init__(self, tokenizer: Mapping, **bag):
        super().__init__(**bag)
        _keras_hub()
        self._source = dict(tokenizer)
        spec = tf.TensorSpec([None], tf.string)
        with tf.init_scope(), tf.device("CPU"):
            loaded = keras.saving.deserialize_keras_object(self._source)
            # Eagerly it would not be TensorFlow's operations.
            pieces = tf.function(loaded.tokenize, [spec], autograph=False)
            self._pieces = pieces.get_concrete_function()
        types = tf.Module | tf.lookup.StaticHashTable
        self._own = [x for x in vars(loaded).values() if isinstance(x, types)]
        self._marks = _mark(loaded, "start"), _mark(loaded, "end")

    @property
    def tables(self):
        return self._own

    def split(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Splits strings `[batch]` into the int32 ids of all their pieces."""
        return tf.cast(self._pieces(self.masked(texts)), tf.int32)

    def ids(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Makes int32 `[batch, self.words, 1]` of the first pieces, plus 1."""
        start, end = (tf.repeat(x, words.nrows(), axis=0) for x in self._marks)
        room = self.words - sum(mark.size for mark in self._marks)
        rows = tf.concat([start, words[:, :room] + 1, end], axis=1)
        rows = rows.to_tensor(NOTHING, shape=[None, self.words])
        has_words = words.row_lengths()[:, None] > 0
        return tf.where(has_words, rows, NOTHING)[..., None]

    def get_config(self):
        return {**super().get_config(), "tokenizer": self._source}


@keras.saving.register_keras_serializable("byol_tf")
class BackboneInputs(keras.layers.Layer):
    """Makes inputs of backbones of `Subwords`, int32 `[batch, words]`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        _keras_hub()  # the layers after it come from there

    def call(self, ids):
        ids = tf.where(tf.math.is_finite(ids), ids, 0.0)[..., 0]
        ids = tf.cast(ids, tf.int32)
        return {
            _TOKENS: tf.maximum(ids - 1, 0),
            _MASK: tf.cast(ids != NOTHING, tf.int32),
            _SEGMENTS: tf.zeros_like(ids),
        }


def fit(folder: str, bag: Tokens, words: int = 0) -> Subwords:
    """Makes the preprocessor of a preset, with `bag` for the baseline.

    Args:
        words: number of ids to read; 0: 1.5 times `bag.words`, but no more
            than the backbone reads.

    Raises:
        ValueError: if the backbone reads fewer, or the preset is none of texts.
    """
    length = words or 3 * bag.words // 2
    limit = getattr(_backbone(folder), "max_sequence_length", None) or length
    if words > limit:
        raise ValueError(
            f"text.words={words}: the backbone of encoder.weights={folder} "
            f"reads at most {limit} pieces of words; set that, fewer, or 0"
        )
    options = {**bag.get_config(), "form": "ids", "words": min(length, limit)}
    with _opened(folder, "tokenizer") as (keras_hub, path):
        loaded = keras_hub.tokenizers.Tokenizer.from_preset(path)
        source = keras.saving.serialize_keras_object(loaded)
        for key in ("vocabulary", "merges", "proto"):
            if hasattr(loaded, key):
                source["config"][key] = getattr(loaded, key)
        if hasattr(loaded, "proto"):  # bytes
            source["config"]["proto"] = base64.b64encode(loaded.proto).decode()
        return Subwords(source, **options)


def make_encoder(section, tokens: Subwords, weights: bool) -> keras.Model:
    """Makes an encoder of the mean of a backbone's vectors: see contract."""
    options = {"dtype": dtype_policy(section.precision)}
    backbone = _backbone(section.encoder.weights, weights, **options)
    ids = keras.Input(tokens.compute_output_shape((None,))[1:], name="tokens")
    outputs = backbone.output
    if isinstance(outputs, dict):
        outputs = outputs["sequence_output"]
    features = BackboneInputs(name="inputs", dtype="float32")(ids)
    inputs = {name: features[name] for name in backbone.input}
    vectors = keras.Model(backbone.input, outputs)(inputs)
    mean = MeanOfWords(name="mean", dtype="float32")([vectors, ids])
    return rebuild(keras.Model(ids, mean, name="encoder"))


def _backbone(folder, weights=False, **options):
    with _opened(folder, "backbone") as (keras_hub, path):
        cls = keras_hub.models.Backbone
        model = cls.from_preset(path, load_weights=weights, **options)
    names = set(model.input) if isinstance(model.input, dict) else {"images"}
    if not {_TOKENS, _MASK} <= names <= {_TOKENS, _MASK, _SEGMENTS}:
        raise ValueError(
            f"encoder.weights={folder} holds a {type(model).__name__}, which "
            f"takes {', '.join(sorted(names))}; a backbone of texts is needed, "
            f"which takes {_TOKENS} and {_MASK}, such as BertBackbone"
        )
    return model


@contextlib.contextmanager
def _opened(folder, part):
    """Yields Keras Hub, and a path that it takes for no name on the network."""
    keras_hub = _keras_hub()
    description = f"encoder.name={NAME}: the {part} of encoder.weights={folder}"
    with loading(f"{description}, as {part}.save_to_preset(FOLDER) writes it,"):
        path = pathlib.Path(os.path.expanduser(folder)).absolute()
        if not folder or not path.is_dir():
            raise ValueError("there is no such folder")
        yield keras_hub, str(path)


def _keras_hub():
    try:
        import keras_hub
        import tensorflow_text  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"encoder.name={NAME} needs keras-hub ({first_line(error)}): "
            "pip install 'byol-tf[hub]'"
        ) from error
    return keras_hub


def _mark(tokenizer, name):
    """Returns the id that marks a place, plus 1, `[1, 1]`; or `[1, 0]`."""
    token_id = getattr(tokenizer, f"{name}_token_id", None)
    return np.int32([[] if token_id is None else [token_id + 1]])
