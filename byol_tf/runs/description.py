"""The JSON file beside a saved model: where it lies, and what it must say."""

import hashlib
import json
import pathlib
from collections.abc import Mapping

import keras
import tensorflow as tf

from byol_tf.files import loading, read_json, sha256
from byol_tf.modalities.registry import load_named

ENCODER, PREPROCESSOR = "encoder.keras", "preprocessor.json"
SCHEMA = 1  # a later one may not be understood
_NEEDED = ("modality", "spec", "preparation", "sizes", "sha256")


def description_of(path: pathlib.Path) -> pathlib.Path:
    """The JSON file beside a model's."""
    if path.name == ENCODER:
        return path.with_name(PREPROCESSOR)
    return path.with_suffix(".json")


def read_description(path: pathlib.Path, trusted: str = "") -> dict:
    """Reads the JSON file beside a model's.

    A modality of one's own is imported, since it registers its layers.

    Args:
        path: of the model.
        trusted: name of such a modality that may be imported.

    Raises:
        ValueError: in one line; it is damaged or of a later release, or its
            modality is another one that would have to be imported.
    """
    file = description_of(path)
    with loading(file):
        about = read_json(file)
        if not isinstance(about, dict):
            raise ValueError(
                f"it must hold a JSON object. Received: {type(about).__name__}"
            )
        if about.get("schema", SCHEMA) != SCHEMA:
            raise ValueError(
                f"its schema must be {SCHEMA}. Received: {about['schema']!r}"
            )
        load_named(str(about.get("modality", "image")), trusted)
    return about


def preparation(path: pathlib.Path, about: Mapping) -> keras.layers.Layer:
    """The preparation that a description names, in Keras's safe mode.

    Raises:
        ValueError: the description lacks something, or is of another model
            than that in the file.
    """
    missing = [key for key in _NEEDED if key not in about]
    if missing:
        raise ValueError(f"it does not say {', '.join(missing)}")
    if about["sha256"] != sha256(path):
        raise ValueError(
            f"it describes another model than {path.name} (SHA-256 "
            f"{str(about['sha256'])[:12]}...); copy both from one folder"
        )
    layer = keras.saving.deserialize_keras_object(about["preparation"])
    if not isinstance(layer, keras.layers.Layer):
        raise ValueError("its preparation must be a Keras layer")
    return layer


def architecture_of(model: keras.Model) -> dict:
    """What a plain file does not keep of a model of our own class.

    Such a class draws its first weights layer by layer in an order of its own,
    and a random encoder of the same seed is to have the same ones.

    Returns:
        `{"architecture": ...}` as `keras.saving` has it, or {}.
    """
    own = keras.saving.get_registered_name(type(model)).startswith("byol_tf>")
    serialize = keras.saving.serialize_keras_object
    return {"architecture": serialize(model)} if own else {}


def spec_to_json(spec: Mapping[str, tf.TensorSpec]) -> dict:
    """Shapes and types by name, as JSON values."""
    return {
        name: {"shape": one.shape.as_list(), "dtype": one.dtype.name}
        for name, one in spec.items()
    }


def spec_from_json(spec: Mapping) -> dict[str, tf.TensorSpec]:
    """The inverse of `spec_to_json`."""
    return {
        name: tf.TensorSpec(one["shape"], one["dtype"], name)
        for name, one in spec.items()
    }


def options_of(layer: keras.layers.Layer) -> dict:
    """A layer's configuration as JSON values, without its name."""
    config = layer.get_config()
    config.pop("name", None)
    return json.loads(json.dumps(config))


def precision_of(model: keras.Model) -> str:
    """Name of the policy of the last layer with weights."""
    policies = [x.dtype_policy.name for x in model.layers if x.weights]
    return policies[-1] if policies else "float32"


def weights_digest(model: keras.Model) -> str:
    """SHA-256 of the weights' values, in hex digits."""
    digest = hashlib.sha256()
    for weight in model.weights:
        value = weight.value.numpy()
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
