"""Facts about a model, as TensorFlow Serving's messages."""

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2 as metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2 as status_pb2

from byol_tf.serving.errors import BadRequest, NotFound
from byol_tf.serving.model import Signature, Version
from byol_tf.serving.versions import Versions

SIGNATURES = "signature_def"
_FAILED = tf.errors.UNKNOWN


def status(
    versions: Versions, number: int | None = None
) -> status_pb2.GetModelStatusResponse:
    """Returns the state of all versions, newest first, or of one.

    Raises:
        NotFound: if there is no such version.
    """
    numbers = sorted(versions.states, reverse=True)
    if number is not None:
        if number not in versions.states:
            raise NotFound(f"there is no version {number}; known: {numbers}")
        numbers = [number]
    response = status_pb2.GetModelStatusResponse()
    for version_number in numbers:
        state = versions.states[version_number]
        entry = response.model_version_status.add(version=version_number)
        entry.state = status_pb2.ModelVersionStatus.State.Value(state.name)
        entry.status.error_code = _FAILED if state.error else 0
        entry.status.error_message = state.error
    return response


def metadata(
    name: str, version: Version
) -> metadata_pb2.GetModelMetadataResponse:
    """Returns the signatures of a version."""
    response = metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version.number
    signatures = metadata_pb2.SignatureDefMap()
    for key, definition in version.definitions.items():
        signatures.signature_def[key].CopyFrom(definition)
    response.metadata[SIGNATURES].Pack(signatures)
    return response


def to_json(message) -> dict:
    """Converts a message to JSON values, with all its fields."""
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )


def inputs_of(
    tensors, signature: Signature, most_bytes: int
) -> dict[str, np.ndarray]:
    """Reads the inputs of a request, as arrays of the signature's types.

    Args:
        tensors: messages by name.
        signature: signature that takes them.
        most_bytes: largest size of an array in bytes. A small message can stand
            for a large array.

    Raises:
        BadRequest: if they do not fit the signature.
    """
    signature.check_names(tensors)
    arrays = {}
    for name, tensor in tensors.items():
        spec = signature.inputs[name]
        if tensor.dtype != spec.dtype.as_datatype_enum:
            raise BadRequest(
                f"input `{name}` must be of {spec.dtype.name}. "
                f"Received: {_type_name(tensor)}"
            )
        _check_size(name, tensor, most_bytes)
        try:
            arrays[name] = tf.make_ndarray(tensor)
        except (TypeError, ValueError) as error:
            raise BadRequest(f"input `{name}`: {error}") from error
    return arrays


def _type_name(tensor):
    try:
        return tf.as_dtype(tensor.dtype).name
    except TypeError:
        return f"type {tensor.dtype}"


def _check_size(name, tensor, most_bytes):
    lengths = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or min(lengths, default=0) < 0:
        raise BadRequest(f"input `{name}` must have a shape")
    count = int(np.prod(lengths, dtype=object))
    if tensor.dtype == tf.string.as_datatype_enum:
        if count != len(tensor.string_val):
            raise BadRequest(f"input `{name}` must have a value for each place")
    elif count * max(tf.as_dtype(tensor.dtype).size, 1) > most_bytes:
        raise BadRequest(
            f"input `{name}` has more bytes than the limit of {most_bytes}"
        )
