"""Reads `.npy` files, safely in threads. Uses only NumPy.

`np.load` passes the header to Python's parser, which is not thread-safe in
CPython 3.11 and sometimes raises SystemError. So the header, always three
fields, is read by patterns here.
"""

import io
import math
import os
import re
from typing import NamedTuple

import numpy as np

from byol_tf.data.rows import Unreadable

MAGIC = b"\x93NUMPY"
_MOST_HEADER = 10_000  # bytes, as in NumPy
_FIELDS = (
    re.compile(r"""['"]descr['"]\s*:\s*['"]([<>|=]?[a-zA-Z]\d*)['"]"""),
    re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)\b"""),
    re.compile(r"""['"]shape['"]\s*:\s*\(((?:\s*\d+\s*,?)*)\s*\)"""),
)


class Header(NamedTuple):
    """The header of a `.npy` file."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype


def read_npy_header(file) -> Header:
    """Reads the header of a `.npy` file, up to its values.

    Args:
        file: binary and seekable, at its start.

    Raises:
        Unreadable: if it is no such file, or its rows are records or objects.
    """
    start = file.read(len(MAGIC) + 2)
    if len(start) < len(MAGIC) + 2 or not start.startswith(MAGIC):
        raise Unreadable("not a .npy file")
    size = 2 if start[len(MAGIC)] == 1 else 4
    length = int.from_bytes(file.read(size), "little")
    text = file.read(min(length, _MOST_HEADER)).decode("latin-1")
    matches = [field.search(text) for field in _FIELDS]
    if len(text) != length or not all(matches):
        raise Unreadable(
            "the header of the .npy file does not describe numbers"
        )
    descr, fortran, shape = (match[1] for match in matches)
    try:
        dtype = np.dtype(descr)
    except TypeError as error:
        raise Unreadable(f"its values: {error}") from error
    if dtype.hasobject:
        raise Unreadable("its values are Python objects, not numbers")
    return Header(
        tuple(int(n) for n in re.findall(r"\d+", shape)),
        fortran == "True",
        dtype,
    )


def read_npy_values(file, header: Header) -> np.ndarray:
    """Reads the values after the header of `read_npy_header`.

    Raises:
        Unreadable: if there are fewer.
    """
    size = math.prod(header.shape) * header.dtype.itemsize
    start = file.tell()
    available = file.seek(0, io.SEEK_END) - start
    if available < size:  # check first, since reading would allocate this much
        raise Unreadable(
            f"damaged: {available} bytes of values instead of {size}"
        )
    file.seek(start)
    order = "F" if header.fortran else "C"
    values = np.frombuffer(file.read(size), header.dtype)
    return values.reshape(header.shape, order=order)


def load_npy(data: bytes | str | os.PathLike) -> np.ndarray:
    """Reads an array from the path or the bytes of a `.npy` file.

    Returns:
        The array, read-only.

    Raises:
        Unreadable: if it cannot be read.
    """
    is_path = isinstance(data, str | os.PathLike)
    try:
        with open(data, "rb") if is_path else io.BytesIO(data) as file:
            return read_npy_values(file, read_npy_header(file))
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
