"""Reads the arrays of a PyTorch state dictionary, without PyTorch.

Such a file is a pickle next to raw numbers. Only three names are accepted in
the pickle, each built by code of this file. All others are refused, so no code
of the file ever runs.
"""

import io
import math
import os
import pickle
import struct
import zipfile
from typing import BinaryIO, NamedTuple

import numpy as np

from byol_tf.lines import first_line

_MAGIC = 0x1950A86A20F9469CFC6C  # of the format before PyTorch 1.6
_TYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class _Storage(NamedTuple):
    """The numbers of one or more tensors, by their key in the file."""

    key: str
    dtype: np.dtype


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, values: np.ndarray) -> np.ndarray:
        """Copies the tensor out of the numbers of its storage."""
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * step for size, step in steps)
        if min((self.offset, *self.strides, *self.shape), default=0) < 0:
            raise ValueError("a tensor with negative sizes")
        if math.prod(self.shape) and last >= values.size:
            raise ValueError("a tensor beyond the end of its numbers")
        return np.lib.stride_tricks.as_strided(
            values[self.offset :],
            self.shape,
            [step * values.itemsize for step in self.strides],
        ).copy()


def load_state(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads a state dictionary that `torch.save` wrote, in either format.

    Args:
        path: path of the file, usually `.pth` or `.pt`.

    Returns:
        Arrays by name, such as "_conv_stem.weight".

    Raises:
        ValueError: if it is damaged, or holds anything but tensors by name. One
            line.
        OSError: if it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            read = _read_zip if zipfile.is_zipfile(file) else _read_stream
            file.seek(0)
            return read(file)
        except Exception as error:
            # A damaged file can make the reader fail in any way.
            raise ValueError(
                f"{os.fspath(path)} cannot be read as tensors by name, as "
                f"torch.save(model.state_dict(), file) writes them: "
                f"{first_line(error)}"
            ) from error


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        (pickle_name,) = [name for name in names if name.endswith("data.pkl")]
        folder = pickle_name.removesuffix("data.pkl")
        tensors = _tensors(io.BytesIO(archive.read(pickle_name)))
        storages = {
            storage.key: np.frombuffer(
                archive.read(f"{folder}data/{storage.key}"), storage.dtype
            )
            for storage in {value.storage for value in tensors.values()}
        }
    return _arrays(tensors, storages)


def _read_stream(file: BinaryIO) -> dict[str, np.ndarray]:
    """Reads the older format: five pickles, then the numbers."""
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("it does not begin as such a file does")
    _Unpickler(file).load()  # the version of the format
    if not _Unpickler(file).load().get("little_endian", False):
        raise ValueError("its numbers are not little-endian")
    tensors = _tensors(file)
    dtypes = {t.storage.key: t.storage.dtype for t in tensors.values()}
    storages = {}
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        dtype = dtypes[key]
        data = file.read(count * dtype.itemsize)
        storages[key] = np.frombuffer(data, dtype, count)
    return _arrays(tensors, storages)


def _tensors(file: BinaryIO) -> dict[str, _Tensor]:
    state = _Unpickler(file).load()
    if not isinstance(state, dict) or not state:
        raise ValueError(f"it holds a {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(value, _Tensor):
            raise ValueError(f"{name} is a {type(value).__name__}")
    return dict(state)


def _arrays(tensors, storages):
    return {
        name: tensor.array(storages[tensor.storage.key])
        for name, tensor in tensors.items()
    }


class _State(dict):
    """An OrderedDict of the file; its metadata are ignored."""

    def __setstate__(self, _state):
        pass


def _rebuild_tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Accepts only the names that a state dictionary needs."""

    def find_class(self, module, name):
        classes = {
            ("collections", "OrderedDict"): _State,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        }
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        if (module, name) not in classes:
            raise ValueError(f"it names {module}.{name}, which is not needed")
        return classes[module, name]

    def persistent_load(self, pid):
        tag, dtype, key, *_ = pid
        if tag != "storage" or not isinstance(dtype, np.dtype):
            raise ValueError("a storage of an unknown type")
        return _Storage(str(key), dtype)
