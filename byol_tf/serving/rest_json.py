"""Predictions in JSON, in TensorFlow Serving's format."""

import base64
import binascii
import json
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from byol_tf.files import parse_json
from byol_tf.serving.errors import BadRequest
from byol_tf.serving.model import Signature, Spec

ROWS, COLUMNS = "instances", "inputs"
_BINARY = "_bytes"  # suffix of names of binary outputs


def parse(body: bytes) -> dict:
    """Parses the JSON object of a request's body.

    Raises:
        BadRequest: if it is no object, or has not exactly one kind of inputs.
    """
    try:
        request = parse_json(body)
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequest("the body must be a JSON object")
    if (ROWS in request) == (COLUMNS in request):
        raise BadRequest(f"give either `{ROWS}` or `{COLUMNS}`")
    if not isinstance(request.get("signature_name", ""), str):
        raise BadRequest("`signature_name` must be a string")
    return request


def inputs_of(request: Mapping, signature: Signature) -> dict[str, np.ndarray]:
    """Returns the inputs of a parsed request, as arrays of the right types.

    Raises:
        BadRequest: if they do not fit the signature.
    """
    if ROWS in request:
        values = _columns(request[ROWS], signature)
    else:
        values = request[COLUMNS]
        if not _by_name(values, signature):
            values = {_only_name(signature): values}
    signature.check_names(values)
    return {
        name: _array(name, value, signature.inputs[name])
        for name, value in values.items()
    }


def answer(outputs: Mapping[str, np.ndarray], by_row: bool, nan: str) -> bytes:
    """Returns the body of the response.

    Args:
        outputs: outputs of the model.
        by_row: whether the request was by row.
        nan: "null" or "NaN", written for NaN and infinity.

    Raises:
        BadRequest: by row, if there is not one output per row.
    """
    names = sorted(outputs)
    values = {name: _values(name, outputs[name], nan) for name in names}
    if not by_row:
        result = values if len(names) > 1 else values[names[0]]
        return _dump({"outputs": result})
    lengths = {np.shape(outputs[name])[:1] for name in names}
    if len(lengths) > 1 or lengths == {()}:
        raise BadRequest(
            f"the outputs are not of one length; ask by `{COLUMNS}`"
        )
    if len(names) == 1:
        return _dump({"predictions": values[names[0]]})
    rows = zip(*values.values(), strict=True)
    rows = [dict(zip(names, row, strict=True)) for row in rows]
    return _dump({"predictions": rows})


def _columns(rows, signature):
    """Returns values by name from instances."""
    if not isinstance(rows, list) or not rows:
        raise BadRequest(f"`{ROWS}` must be a list of at least one instance")
    if not _by_name(rows[0], signature):
        return {_only_name(signature): rows}
    names = set(rows[0])
    for row in rows:
        if not isinstance(row, dict) or set(row) != names:
            raise BadRequest(f"all `{ROWS}` must have the same inputs")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _by_name(value, signature):
    """Returns whether it gives inputs by name, or is the only input."""
    if not isinstance(value, dict):
        return False
    return set(value) != {"b64"} or "b64" in signature.inputs


def _only_name(signature):
    if len(signature.inputs) != 1:
        raise BadRequest(
            f"`{signature.name}` takes several inputs; give each by its name: "
            f"{sorted(signature.inputs)}"
        )
    return next(iter(signature.inputs))


def _array(name, value, spec: Spec):
    requirement = (
        f"input `{name}` must hold values of {spec.dtype.name} in nested "
        "lists of equal lengths"
    )
    is_text = spec.dtype == tf.string
    try:
        array = _strings(value) if is_text else np.array(value)
    except (ValueError, RecursionError) as error:
        reason = f"input `{name}`: {error}" if is_text else requirement
        raise BadRequest(reason) from error
    if is_text:
        return array
    if array.size and not _holds(array, spec.dtype):
        raise BadRequest(requirement)
    return array.astype(spec.dtype.as_numpy_dtype)


def _holds(array, dtype):
    """Returns whether all values are of a type."""
    if dtype.is_floating:
        return array.dtype.kind in "iuf"
    if dtype.is_bool:
        return array.dtype.kind == "b"
    is_integer = dtype.is_integer and array.dtype.kind in "iu"
    return is_integer and dtype.min <= array.min() and array.max() <= dtype.max


def _strings(value):
    """Returns bytes objects from nested lists of strings or {"b64": string}."""
    if not isinstance(value, list):
        return np.array(_bytes(value), object)
    if not any(isinstance(entry, list) for entry in value):
        array = np.empty(len(value), object)
        array[:] = [_bytes(entry) for entry in value]
        return array
    return np.stack([_strings(entry) for entry in value])


def _bytes(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and list(value) == ["b64"]:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (TypeError, binascii.Error) as error:
            raise ValueError(f"not valid base64: {error}") from error
    raise ValueError('must hold strings or {"b64": ...}')


def _values(name, array, nan):
    """Returns nested lists of JSON values."""
    array = np.asarray(array)
    if array.dtype == object:
        encode = _base64 if name.endswith(_BINARY) else _text
        flat = np.empty(array.size, object)
        flat[:] = [encode(value) for value in array.flat]
        return flat.reshape(array.shape).tolist()
    if array.dtype.kind == "f" and nan == "null":
        finite = np.isfinite(array)
        if not finite.all():
            array = np.where(finite, array.astype(object), None)
    return array.tolist()


def _base64(value):
    return {"b64": base64.b64encode(value).decode("ascii")}


def _text(value):
    return value.decode("utf-8", errors="replace")


def _dump(value):
    return json.dumps(value).encode()
