"""Models as graphs of constants, as converters to other formats take them."""

import keras
import tensorflow as tf

from byol_tf.export.signatures import Model

IMAGES = "images"


def in_float32(model: keras.Model) -> keras.Model:
    """The model with every layer computing in float32.

    Other runtimes have no bfloat16 on most processors. Under a mixed policy
    the weights are float32 anyway: only the rounding in between is left out.

    Args:
        model: any Keras model that can be made from its configuration.

    Returns:
        The model itself, if it computes in float32 already, else another one
        with the same weights.
    """
    config = keras.saving.serialize_keras_object(model)
    changed = _with_float32(config)
    if changed == config:
        return model
    twin = keras.saving.deserialize_keras_object(changed)
    twin.set_weights(model.get_weights())
    return twin


def _with_float32(value):
    if isinstance(value, (list, tuple)):
        return type(value)(_with_float32(entry) for entry in value)
    if not isinstance(value, dict):
        return value
    if str(value.get("class_name")).endswith("DTypePolicy"):
        return {
            **value,
            "class_name": "DTypePolicy",
            "config": {"name": "float32"},
        }
    return {
        key: "float32"
        if key == "dtype" and _is_float(entry)
        else _with_float32(entry)
        for key, entry in value.items()
    }


def _is_float(dtype):
    return isinstance(dtype, str) and "float" in dtype


def frozen(
    entry: Model,
    output: str,
    *,
    prepare: bool = True,
    model: bool = True,
    size: int | None = None,
):
    """A function without variables: every weight is a constant of its graph.

    Args:
        entry: the model and its preparation; it computes in float32.
        output: name of what is returned, float32 `[n, d]` (or images
            `[n, size, size, channels]` without the model).
        prepare: whether the preparation is part of it.
        model: whether the model is.
        size: pixels of a side of the images that it takes; None for any.

    Returns:
        A `tf.ConcreteFunction` of `images`, float32 `[n, height, width,
        channels]` in [0, 1], that returns a dict of one tensor.
    """
    weights = [
        [variable.numpy() for variable in variables]
        for variables in (
            entry.model.trainable_variables,
            entry.model.non_trainable_variables,
        )
    ]

    def call(images):
        result = entry.prepare(images) if prepare else images
        if model:
            constants = [[tf.constant(w) for w in part] for part in weights]
            result, _ = entry.model.stateless_call(
                *constants, result, training=False
            )
        return {output: tf.cast(result, tf.float32)}

    spec = tf.TensorSpec([None, size, size, entry.channels], tf.float32, IMAGES)
    return tf.function(call, autograph=False).get_concrete_function(spec)
