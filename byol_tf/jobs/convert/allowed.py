"""Builds the objects that official checkpoints name, by our own code.

Nothing is looked up by a name from the file: a class or function is an entry of
a table, or refused.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping

import numpy as np


class Refused(Exception):
    """Raised if the file asks for something that a checkpoint does not need."""


@dataclasses.dataclass(frozen=True)
class Name:
    """A class or function named by the file: only two words."""

    module: str
    name: str

    def __str__(self):
        return f"{self.module}.{self.name}"


@dataclasses.dataclass(frozen=True)
class Record:
    """The class of a named tuple, as described by dill."""

    name: str
    fields: tuple[str, ...]


@dataclasses.dataclass
class DType:
    """A NumPy type under construction: its code, then its byte order."""

    code: str
    order: str = "="

    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.code)


# Numbers only, since object arrays could hold anything.
_NUMBER = re.compile(r"f[248]|[iu][1248]|b1")
_ORDERS = ("<", ">", "|", "=")


def check_name(module: str, name: str) -> Name:
    """Returns a name of the file if it is allowed.

    Raises:
        Refused: if not.
    """
    reference = Name(module, name)
    if _builder(reference) is None:
        raise Refused(f"it names {reference}")
    return reference


def call(function, arguments: tuple):
    """Calls an allowed name.

    Raises:
        Refused: if `function` is not a name, or not callable.
        ValueError, TypeError: for invalid arguments.
    """
    if isinstance(function, Record):
        return dict(zip(function.fields, arguments, strict=True))
    if not isinstance(function, Name):
        raise Refused(f"it calls a value of type {type(function).__name__}")
    return _builder(function)(*arguments)


def set_state(value, state: tuple) -> None:
    """Sets the contents of an array, or the byte order of a type.

    Raises:
        Refused: for anything else.
    """
    if isinstance(value, DType):
        value.order = _order(state[1])
    elif isinstance(value, np.ndarray):
        _fill(value, state)
    else:
        type_name = type(value).__name__
        raise Refused(f"it sets the state of a value of type {type_name}")


def _namedtuple(name, fields, _module="", *_defaults):
    if not all(isinstance(field, str) for field in fields):
        raise ValueError("fields of a named tuple must be strings")
    return Record(str(name), tuple(fields))


def _mapping(items=()):
    return dict(items)


def _not_callable(*_):
    raise Refused("it makes an array by the class itself")


def _encode(text, encoding):
    # Protocol 2 has no bytes and stores them as text of their codes.
    if encoding != "latin1":
        raise ValueError(f"bytes in {encoding!r}")
    return text.encode("latin1")


def _no_bytes():
    # Protocol 2 writes the content of an empty array like this.
    return b""


def _dtype(code, *_):
    if not isinstance(code, str) or not _NUMBER.fullmatch(code):
        raise Refused(f"it holds an array of {code!r}, not of numbers")
    return DType(code)


def _order(order):
    if order not in _ORDERS:
        raise ValueError(f"byte order {order!r}")
    return order


def _empty(*_):
    return np.empty(0, np.uint8)


def _fill(array, state):
    """Sets NumPy's own state of an array, after checking its content."""
    *_, shape, dtype, fortran, content = state
    dtype = dtype.numpy()
    fits = len(content) == math.prod(shape) * dtype.itemsize
    if not fits or min(shape, default=0) < 0:
        raise ValueError("an array's content does not fit its shape")
    array.__setstate__((1, shape, dtype, bool(fortran), bytes(content)))


def _array_of_state(_function, _arguments, state, _others=None):
    array = _empty()
    _fill(array, state)
    return array


def _from_buffer(buffer, dtype, shape, order="C"):
    array = np.frombuffer(bytes(buffer), dtype.numpy())
    return array.reshape(shape, order=order)


def _scalar(dtype, content):
    return np.frombuffer(bytes(content), dtype.numpy())[0]


# By top-level module and name, since sub-modules move between versions of the
# libraries.
_BUILDERS: Mapping[tuple[str, str], Callable] = {
    ("collections", "OrderedDict"): _mapping,
    ("haiku", "FlatMapping"): _mapping,
    ("haiku", "FlatMap"): _mapping,
    ("haiku", "frozendict"): _mapping,
    ("dill", "_create_namedtuple"): _namedtuple,
    ("dill", "_create_array"): _array_of_state,
    ("jax", "_reconstruct_array"): _array_of_state,
    ("jax", "reconstruct_device_array"): _array_of_state,
    ("numpy", "_reconstruct"): _empty,
    ("numpy", "_frombuffer"): _from_buffer,
    ("numpy", "scalar"): _scalar,
    ("numpy", "ndarray"): _not_callable,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
}


def _builder(name: Name):
    package = str(name.module).split(".")[0]
    return _BUILDERS.get((package, name.name))
