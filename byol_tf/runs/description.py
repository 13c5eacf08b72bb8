"""The JSON file beside a saved model, and checks of it."""

import hashlib
import json
import pathlib
from collections.abc import Mapping

import keras
import tensorflow as tf

from byol_tf.files import loading, read_json, sha256
from byol_tf.modalities.registry import load_named

ENCODER, PREPROCESSOR = "encoder.keras", "preprocessor.json"
SCHEMA = 1  # later schemas may not be readable
_REQUIRED = ("modality", "spec", "preparation", "sizes", "sha256")


def description_of(path: pathlib.Path) -> pathlib.Path:
    """Returns the path of the JSON file beside a model."""
    if path.name == ENCODER:
        return path.with_name(PREPROCESSOR)
    return path.with_suffix(".json")


def read_description(path: pathlib.Path, trusted: str = "") -> dict:
    """Reads the JSON file beside a model.

    Imports a user's own modality, since it registers its layers.

    Args:
        path: path of the model.
        trusted: name of a user's own modality that may be imported.

    Raises:
        ValueError: if it is damaged or of a later release, or another modality
            would have to be imported. One line.
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
    """Makes the preprocessor of a description, in Keras' safe mode.

    Raises:
        ValueError: if the description is incomplete, or of another model than
            that in the file.
    """
    missing = [key for key in _REQUIRED if key not in about]
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
    """Returns what a plain file does not store of a model of our own class.

    Such a class draws its initial weights layer by layer in its own order, and
    a random encoder with the same seed must have the same ones.

    Returns:
        `{"architecture": ...}` as in `keras.saving`, or {}.
    """
    is_ours = keras.saving.get_registered_name(type(model)).startswith(
        "byol_tf>"
    )
    serialize = keras.saving.serialize_keras_object
    return {"architecture": serialize(model)} if is_ours else {}


def spec_to_json(spec: Mapping[str, tf.TensorSpec]) -> dict:
    """Converts shapes and types by name to JSON values."""
    return {
        name: {"shape": tensor.shape.as_list(), "dtype": tensor.dtype.name}
        for name, tensor in spec.items()
    }


def spec_from_json(spec: Mapping) -> dict[str, tf.TensorSpec]:
    """Reads what `spec_to_json` wrote."""
    return {
        name: tf.TensorSpec(tensor["shape"], tensor["dtype"], name)
        for name, tensor in spec.items()
    }


def options_of(layer: keras.layers.Layer) -> dict:
    """Returns a layer's configuration as JSON values, without its name."""
    config = layer.get_config()
    config.pop("name", None)
    return json.loads(json.dumps(config))


def precision_of(model: keras.Model) -> str:
    """Returns the policy name of the last layer with weights."""
    policies = [x.dtype_policy.name for x in model.layers if x.weights]
    return policies[-1] if policies else "float32"


def weights_digest(model: keras.Model) -> str:
    """Returns the SHA-256 of the weights' values, in hex digits."""
    digest = hashlib.sha256()
    for weight in model.weights:
        value = weight.value.numpy()
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
