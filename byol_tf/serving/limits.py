"""Checks requests against limits before they are computed."""

from collections.abc import Mapping

import numpy as np

from byol_tf.serving.errors import BadRequest
from byol_tf.serving.model import FILES, OK, STATUS, Signature
from byol_tf.serving.settings import Limits

TOO_MANY_BYTES = "more bytes than the limit"


def screen(
    signature: Signature,
    inputs: Mapping[str, np.ndarray],
    limits: Limits,
) -> tuple[dict[str, np.ndarray], dict[int, str]]:
    """Removes files with too many bytes; the model itself counts pixels.

    Args:
        signature: signature to call with the inputs.
        inputs: arrays by name.
        limits: the limits.

    Returns:
        The inputs with empty files in place of the removed ones, and the
        reasons by row, see `restore`.

    Raises:
        BadRequest: for too many rows, or for a signature without a status
            output, for images or strings that are too large.
    """
    if signature.batched:
        rows = len(next(iter(inputs.values())))
        if rows > limits.instances:
            raise BadRequest(
                f"{rows} instances are more than the limit of "
                f"{limits.instances}; send several requests"
            )
    reasons = {}
    if signature.takes_files:
        max_bytes = limits.image_bytes
        large_rows = [
            i for i, file in enumerate(inputs[FILES]) if len(file) > max_bytes
        ]
        reasons = dict.fromkeys(large_rows, TOO_MANY_BYTES)
        files = inputs[FILES].copy()
        files[list(reasons)] = b""
        inputs = {FILES: files}
    else:
        _check_arrays(inputs, limits)
    return dict(inputs), reasons


def restore(
    outputs: Mapping[str, np.ndarray], reasons: Mapping[int, str]
) -> dict[str, np.ndarray]:
    """Sets the reasons as status of the removed files in the outputs."""
    if not reasons:
        return dict(outputs)
    status = outputs[STATUS].copy()
    for row, reason in reasons.items():
        status[row] = reason.encode()
    return {**outputs, STATUS: status}


def refusals(outputs: Mapping[str, np.ndarray]) -> list[str]:
    """Returns the status of each file that was not computed."""
    return [s.decode() for s in outputs.get(STATUS, ()) if s != OK]


def _check_arrays(inputs, limits):
    for name, array in inputs.items():
        if array.ndim == 4 and array.shape[1] * array.shape[2] > limits.pixels:
            raise BadRequest(
                f"images of `{name}` have more pixels than the limit of "
                f"{limits.pixels}. Received: {array.shape[1:3]}"
            )
        if array.dtype == object and any(
            len(value) > limits.image_bytes for value in array.flat
        ):
            raise BadRequest(
                f"a value of `{name}` has more bytes than the limit of "
                f"{limits.image_bytes}"
            )
