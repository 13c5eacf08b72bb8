"""The signatures of an exported model."""

import dataclasses
from collections.abc import Callable, Mapping

import tensorflow as tf

from byol_tf.export.fold import fold_batch_norms
from byol_tf.modalities.signature import DEFAULT, OK, Signature, Source

CLASSIFY, PREDICT, DETECT = "classify", "predict", "detect"
TRANSCRIBE = "transcribe"
OF_TASKS = {CLASSIFY, PREDICT, DETECT, TRANSCRIBE}
FORM = "saved_model"
_STATUS = 'string [n], "ok" or why the {} could not be read'


def make_module(
    encoder: Source,
    classifier: Source | None = None,
    decode: Callable | None = None,
) -> tuple[tf.Module, dict[str, Callable]]:
    """Makes a module with the variables, and its signatures by name.

    Batch norms are folded into convolutions, see `fold_batch_norms`.

    Args:
        encoder: returns representations.
        classifier: None, or a fine-tuned model.
        decode: turns outputs of `classifier` by name into predictions by name;
            None: its outputs are probabilities of its classes.

    Raises:
        ValueError: if a graph cannot read the inputs.
    """
    encoder = _folded(encoder)
    module = tf.Module()
    # Only the variables, since a Keras model would need its classes on loading.
    module.model_variables = [v.value for v in encoder.model.variables]
    module.tables = _tables(encoder)
    signatures = {
        name: _represent(encoder, signature)
        for name, signature in encoder.inputs(FORM).items()
    }
    if classifier is not None:
        classifier = _folded(classifier)
        module.model_variables += [v.value for v in classifier.model.variables]
        module.tables += _tables(classifier)
        signature = classifier.inputs(FORM)[DEFAULT]
        if decode is None:
            signatures[CLASSIFY] = _classify(classifier, signature)
        else:
            name = classifier.task.signature
            signatures[name] = _predict(classifier, signature, decode)
    for name, function in signatures.items():
        setattr(module, f"serve_{name}", function)
    return module, signatures


def describe(
    calls: Mapping[str, Callable],
    encoder: Source,
    classifier: Source | None = None,
) -> dict:
    """Describes inputs and outputs of every signature, as JSON values.

    Args:
        calls: signatures by name, see `make_module`.
        encoder: returns representations.
        classifier: see `make_module`.
    """
    words = f"float32 [n, {encoder.model.output_shape[-1]}]"
    descriptions = {}
    for name, signature in encoder.inputs(FORM).items():
        outputs = {"representations": words}
        if signature.has_status:
            outputs = {
                "representations": f"{words}, NaN where the {encoder.noun} "
                "could not be read",
                "status": _STATUS.format(encoder.noun),
            }
        descriptions[name] = {
            "inputs": dict(signature.words),
            "outputs": outputs,
        }
    for name in OF_TASKS & set(calls):
        outputs = _class_outputs if name == CLASSIFY else _prediction_outputs
        descriptions[name] = {
            "inputs": dict(classifier.inputs(FORM)[DEFAULT].words),
            "outputs": {
                **outputs(classifier, calls[name]),
                "status": _STATUS.format(classifier.noun),
            },
        }
    return descriptions


def _class_outputs(classifier, call):
    count = len(classifier.classes)
    return {
        "classes": f"string [n, {count}], the names",
        "probabilities": f"float32 [n, {count}], 0 where the "
        f"{classifier.noun} could not be read",
        "label": 'string [n], the likeliest class, or ""',
    }


def _prediction_outputs(classifier, call):
    outputs = dict(call.get_concrete_function().structured_outputs)
    outputs.pop("status")
    words = words_of(outputs)
    for name, spec in outputs.items():
        if spec.shape[1:] == [len(classifier.classes)]:
            words[name] += f" of {', '.join(classifier.classes)}"
        if spec.dtype.is_floating:
            words[name] += f", NaN where the {classifier.noun} was not read"
    return words


def words_of(outputs: Mapping[str, tf.TensorSpec]) -> dict[str, str]:
    """Returns type and shape of each output, such as "float32 [n, 4]"."""
    words = {}
    for name, spec in outputs.items():
        lengths = ", ".join(str(length or "n") for length in spec.shape)
        words[name] = f"{spec.dtype.name} [{lengths}]"
    return words


def _tables(source):
    """Returns lookup tables of the preprocessing; none without strings."""
    return list(getattr(source.preprocessor, "tables", ()))


def _folded(source):
    return dataclasses.replace(source, model=fold_batch_norms(source.model))


def _represent(encoder, signature):
    @_traced(signature)
    def represent(*tensors):
        vectors, status, _ = _call(encoder, signature, tensors)
        if status is None:
            return {"representations": vectors}
        vectors = tf.where((status == OK)[:, None], vectors, float("nan"))
        return {"representations": vectors, "status": status}

    return represent


def _classify(classifier, signature):
    names = tf.constant(list(classifier.classes))

    @_traced(signature)
    def classify(*tensors):
        probabilities, status, _ = _call(classifier, signature, tensors)
        count = tf.shape(probabilities)[0]
        if status is None:
            status = tf.fill([count], OK)
        valid = status == OK
        label = tf.gather(names, tf.argmax(probabilities, -1))
        return {
            "classes": tf.broadcast_to(names, [count, len(classifier.classes)]),
            "probabilities": tf.where(valid[:, None], probabilities, 0.0),
            "label": tf.where(valid, label, ""),
            "status": status,
        }

    return classify


def _predict(classifier, signature, decode):
    @_traced(signature)
    def predict(*tensors):
        outputs, status, origin = _call(classifier, signature, tensors)
        if status is None:
            status = tf.fill([tf.shape(tf.nest.flatten(outputs)[0])[0]], OK)
        valid = status == OK
        decoded = decode(outputs, origin)
        decoded = {**decoded, **classifier.task.words(decoded)}
        decoded = {k: _where(valid, value) for k, value in decoded.items()}
        return {**decoded, "status": status}

    return predict


def _where(valid, value):
    """Returns values of good rows; NaN, 0 or "" for others."""
    valid = tf.reshape(valid, [-1] + [1] * (len(value.shape) - 1))
    filler = tf.zeros_like(value)  # of strings: ""
    if value.dtype.is_floating:
        filler += float("nan")
    return tf.where(valid, value, filler)


def _traced(signature: Signature):
    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in signature.specs.items()
    ]
    return tf.function(input_signature=specs, autograph=False)


def _call(source, signature, tensors):
    """Returns outputs, status and origin (None if there is none)."""
    # Convolutions refuse an empty batch, so add a row and cut it off.
    count = tf.shape(tensors[0])[0]
    missing = tf.cast(count == 0, tf.int32)
    batch, status, *origin = signature.read(
        *(_padded(tensor, missing) for tensor in tensors)
    )
    # It may compute in any precision.
    outputs = tf.nest.map_structure(
        lambda values: tf.cast(values[:count], tf.float32),
        source.model(batch, training=False),
    )
    status, origin = tf.nest.map_structure(
        lambda values: None if values is None else values[:count],
        (status, origin[0] if origin else None),
    )
    return outputs, status, origin


def _padded(tensor, rows):
    paddings = [[0, rows], *[[0, 0]] * (len(tensor.shape) - 1)]
    return tf.ensure_shape(tf.pad(tensor, paddings), [None, *tensor.shape[1:]])
