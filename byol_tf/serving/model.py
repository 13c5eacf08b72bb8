"""A served version of a model."""

import contextlib
import pathlib
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from byol_tf.files import plain_path
from byol_tf.lines import first_line
from byol_tf.serving.errors import BadRequest, ServingError

DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
FILE = "saved_model.pb"
FILES, STATUS = "bytes", "status"  # input of files, output of their status
OK = b"ok"  # status of a computed file
_SIDE = 32  # side in pixels of the warm-up image


class Spec(NamedTuple):
    """Type and shape of an input or output.

    A length of -1 means any; a shape of None is unknown.
    """

    dtype: tf.DType
    shape: tuple[int, ...] | None

    @property
    def any_rows(self) -> bool:
        return bool(self.shape) and self.shape[0] == -1

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Returns whether an array of this shape is allowed."""
        if self.shape is None:
            return True
        pairs = zip(self.shape, shape, strict=False)
        matches = all(expected in (-1, length) for expected, length in pairs)
        return matches and len(self.shape) == len(shape)


class Signature:
    """A signature of a version.

    Attributes:
        name: its name.
        inputs, outputs: their `Spec` by name.
        batched: whether requests can be batched along the first axis.
        takes_files: whether it takes the bytes of files, and returns a
            status of each.
    """

    def __init__(self, name: str, definition, function):
        self.name = name
        self.inputs = _specs(definition.inputs)
        self.outputs = _specs(definition.outputs)
        specs = [*self.inputs.values(), *self.outputs.values()]
        self.batched = all(spec.any_rows for spec in specs)
        files = Spec(tf.string, (-1,))
        self.takes_files = (
            self.inputs == {FILES: files} and self.outputs.get(STATUS) == files
        )
        self._function = function

    def check_names(self, names: Collection[str]) -> None:
        """Raises a BadRequest unless these are the names of its inputs."""
        if set(names) != set(self.inputs):
            raise BadRequest(
                f"`{self.name}` takes the inputs {sorted(self.inputs)}. "
                f"Received: {sorted(names)}"
            )

    def check(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Raises a BadRequest unless these inputs are valid."""
        self.check_names(inputs)
        for name, array in inputs.items():
            if not self.inputs[name].fits(array.shape):
                raise BadRequest(
                    f"input `{name}` of `{self.name}` must have the shape "
                    f"{list(self.inputs[name].shape)}, where -1 is any "
                    f"length. Received: {list(array.shape)}"
                )
        if self.batched and len({len(a) for a in inputs.values()}) > 1:
            raise BadRequest(
                f"the inputs of `{self.name}` must be of one length. "
                f"Received: { {n: len(a) for n, a in inputs.items()} }"
            )

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict:
        """Computes outputs by name, as arrays; strings are objects of bytes.

        Raises:
            BadRequest: if TensorFlow finds an input invalid.
            ServingError: for any other failure.
        """
        try:
            tensors = {
                name: tf.constant(array, self.inputs[name].dtype)
                for name, array in inputs.items()
            }
            outputs = self._function(**tensors)
            return {name: value.numpy() for name, value in outputs.items()}
        except tf.errors.InvalidArgumentError as error:
            raise BadRequest(_first_line(error)) from error
        except Exception as error:
            raise ServingError(_first_line(error)) from error


class Version:
    """A loaded version.

    Attributes:
        number: its number.
        signatures: by name.
        definitions: the same as TensorFlow's `SignatureDef`.
        uses: number of requests that use it.
    """

    def __init__(self, number: int, folder: pathlib.Path):
        self.number = number
        saved_model = saved_model_pb2.SavedModel()
        saved_model.ParseFromString((folder / FILE).read_bytes())
        self.definitions = saved_model.meta_graphs[0].signature_def
        # Keep a reference: its variables live as long as it does.
        with plain_path(folder) as path:
            self._loaded = _load(path)
        self.signatures = {
            name: Signature(name, self.definitions[name], function)
            for name, function in self._loaded.signatures.items()
        }
        self.uses = 0

    def signature(self, name: str) -> Signature:
        """Returns a signature by name; "" is the default.

        Raises:
            BadRequest: if there is none.
        """
        name = name or DEFAULT
        if name not in self.signatures:
            raise BadRequest(
                f"there is no signature `{name}`; version {self.number} has "
                f"{sorted(self.signatures)}"
            )
        return self.signatures[name]

    def warm_up(self) -> None:
        """Runs each signature once, since the first call is slow.

        Skips those that take other inputs than images or files.
        """
        for signature in self.signatures.values():
            example = _example(signature, self.signatures)
            if example is not None:
                signature(example)


def tiny_file(signatures: Collection[str]) -> bytes:
    """Returns a small file that a model takes.

    Args:
        signatures: names of the model's signatures: with `sounds` it takes WAV
            files, else image files.
    """
    if "sounds" in signatures:
        samples = tf.zeros([64, 1])
        return tf.audio.encode_wav(samples, sample_rate=16_000).numpy()
    image = tf.fill([2, 2, 1], tf.constant(128, tf.uint8))
    return tf.io.encode_png(image).numpy()


def _example(signature, signatures):
    if signature.takes_files:
        return {FILES: np.array([tiny_file(signatures)], object)}
    if len(signature.inputs) != 1:
        return None
    (name, spec), *_ = signature.inputs.items()
    if spec.dtype not in (tf.uint8, tf.float32) or len(spec.shape or ()) != 4:
        return None
    sides = (_SIDE if side == -1 else side for side in spec.shape[1:])
    return {name: np.zeros((1, *sides), spec.dtype.as_numpy_dtype)}


def _load(path):
    try:
        return tf.saved_model.load(path)
    except Exception as error:  # of several types
        if "not registered" not in str(error):
            raise
    with contextlib.suppress(ImportError):
        import tensorflow_text  # noqa: F401  the operations of tokenizers
    return tf.saved_model.load(path)


def _specs(tensors):
    return {
        name: Spec(
            tf.as_dtype(info.dtype),
            None
            if info.tensor_shape.unknown_rank
            else tuple(d.size for d in info.tensor_shape.dim),
        )
        for name, info in tensors.items()
    }


def _first_line(error):
    message = str(getattr(error, "message", None) or error)
    # Without TensorFlow's heading, which says nothing.
    return first_line(message.rpartition("<stack traces unavailable>")[2])
