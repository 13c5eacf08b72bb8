"""Freezes models to graphs of constants, for converters."""

from collections.abc import Callable

import keras
import tensorflow as tf

from byol_tf.modalities.signature import Signature, Source

FORM = "graph"  # form of the inputs
VECTORS = "vectors"  # input of the marks of `frozen_parts`


def in_float32(model: keras.Model) -> keras.Model:
    """Returns the model with every layer computing in float32.

    Most processors have no bfloat16 in other runtimes. Under a mixed policy
    weights are float32 anyway, so only the rounding in between is avoided.

    Args:
        model: any Keras model that can be made from its configuration.

    Returns:
        The model itself if it computes in float32 already, else another one
        with the same weights.
    """
    config = keras.saving.serialize_keras_object(model)
    float32_config = _with_float32(config)
    if float32_config == config:
        return model
    twin = keras.saving.deserialize_keras_object(float32_config)
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


def signature(source: Source) -> tuple[str, Signature]:
    """Returns name and signature of the only input."""
    ((name, input_signature),) = source.inputs(FORM).items()
    return name, input_signature


def frozen(source: Source, output: str, decode: Callable | None = None):
    """Returns the whole model as a function without variables.

    Every weight is a constant of its graph.

    Args:
        source: the model, which computes in float32.
        output: name of the output, float32 `[n, d]`.
        decode: see `signatures.make_module`; its outputs are then returned by
            name, as float32 or int32.

    Returns:
        A `tf.ConcreteFunction` of the input that returns a dict of tensors.
    """
    encode = _encode(source)
    _, input_signature = signature(source)

    def call(*tensors):
        batch, valid, *origin = input_signature.read(*tensors)
        outputs = encode(batch)
        outputs = (
            decode(outputs, origin[0] if origin else None)
            if decode
            else {output: outputs}
        )
        return {name: _masked(v, valid) for name, v in outputs.items()}

    return _concrete(call, input_signature.specs)


def _masked(values, valid):
    """Returns values of good rows as float32 or int32; NaN or 0 for others."""
    floats = values.dtype.is_floating
    values = tf.cast(values, tf.float32 if floats else tf.int32)
    if valid is None:
        return values
    valid = tf.reshape(valid, [-1] + [1] * (len(values.shape) - 1))
    return tf.where(valid, values, float("nan") if floats else 0)


def frozen_parts(source: Source, output: str) -> tuple:
    """Returns preprocessing, model and marks, each as in `frozen`.

    The marks make vectors NaN where the prepared row is, since 8-bit arithmetic
    has no NaN. They take the prepared rows under the model's input name, and
    its result under the name `VECTORS`.
    """
    name, input_signature = signature(source)
    head = _concrete(
        lambda *tensors: {name: input_signature.read(*tensors)[0]},
        input_signature.specs,
    )
    shape = head.structured_outputs[name].shape
    spec = tf.TensorSpec([None, *shape[1:]], tf.float32)
    encode = _encode(source)
    model = _concrete(lambda rows: {output: encode(rows)}, {name: spec})

    def mark(rows, vectors):
        total = tf.reduce_sum(rows, list(range(1, len(shape))))
        finite = tf.abs(total) <= tf.float32.max
        return {output: tf.where(finite[:, None], vectors, float("nan"))}

    vectors = model.structured_outputs[output].shape
    result = tf.TensorSpec([None, *vectors[1:]], tf.float32)
    return head, model, _concrete(mark, {name: spec, VECTORS: result})


def _encode(source):
    model = source.model
    weights = [
        [variable.numpy() for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
        )
    ]

    def encode(batch):
        constants = [[tf.constant(w) for w in part] for part in weights]
        result, _ = model.stateless_call(*constants, batch, training=False)
        return result

    return encode


def _concrete(function, specs):
    named_specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in specs.items()
    ]
    traced = tf.function(function, autograph=False)
    return traced.get_concrete_function(*named_specs)
