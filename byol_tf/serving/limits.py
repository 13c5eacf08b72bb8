"""What is refused of a request before it is computed."""

from collections.abc import Callable, Mapping

import numpy as np

from byol_tf.modalities.image.graph_decode import TOO_LARGE
from byol_tf.serving.errors import BadRequest
from byol_tf.serving.image_header import count_pixels
from byol_tf.serving.model import FILES, STATUS, Signature
from byol_tf.serving.settings import Limits

TOO_MANY_BYTES = "more bytes than the limit"


def screen(
    signature: Signature,
    inputs: Mapping[str, np.ndarray],
    limits: Limits,
    refused: Callable[[str], None],
) -> tuple[dict[str, np.ndarray], dict[int, str]]:
    """Takes out the image files that are too large.

    Args:
        signature: that is asked.
        inputs: for it, checked.
        limits: see there.
        refused: is told the reason of each image that is taken out.

    Returns:
        The inputs, with empty files instead of those, and the reasons by
        row; see `restore`.

    Raises:
        BadRequest: for too many images, or a too large one where no status
            could tell.
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
        reasons = _reasons(inputs[FILES], limits)
        files = inputs[FILES].copy()
        files[list(reasons)] = b""
        inputs = {FILES: files}
    else:
        _check_arrays(inputs, limits)
    for reason in reasons.values():
        refused(reason)
    return dict(inputs), reasons


def restore(
    outputs: Mapping[str, np.ndarray], reasons: Mapping[int, str]
) -> dict[str, np.ndarray]:
    """The outputs, with the reasons as the status of what was taken out."""
    if not reasons:
        return dict(outputs)
    status = outputs[STATUS].copy()
    for row, reason in reasons.items():
        status[row] = reason.encode()
    return {**outputs, STATUS: status}


def _reasons(files, limits):
    reasons = {}
    for row, data in enumerate(files):
        if len(data) > limits.image_bytes:
            reasons[row] = TOO_MANY_BYTES
        elif count_pixels(data) > limits.pixels:
            reasons[row] = TOO_LARGE
    return reasons


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
