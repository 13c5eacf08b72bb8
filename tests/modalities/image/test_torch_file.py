"""State dictionaries of PyTorch, written here without it."""

import io
import pickle
import struct
import sys
import types
import zipfile

import numpy as np
import pytest

from byol_tf.modalities.image.torch_file import load_state

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "norm.count": np.array(7, np.int64),
    "half": np.array([[1.5, -2.0]], np.float16),
    "empty": np.zeros((0, 3), np.float32),
}
_KINDS = {"f4": "FloatStorage", "i8": "LongStorage", "f2": "HalfStorage"}


class _Tensor:
    def __init__(self, key, array, transpose=False):
        self.key, self.array, self.transpose = key, array, transpose


@pytest.fixture(name="torch_names")
def _torch_names(monkeypatch):
    """Modules with the names that pickles of PyTorch refer to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_):
        raise AssertionError("only its name is wanted")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in _KINDS.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def _pickled(torch, state) -> bytes:
    class Storage(tuple):
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return tuple(value) if isinstance(value, Storage) else None

        def reducer_override(self, value):
            if not isinstance(value, _Tensor):
                return NotImplemented
            array = value.array
            kind = getattr(torch, _KINDS[array.dtype.str[1:]])
            strides = [step // array.itemsize for step in array.strides]
            shape = list(array.shape)
            if value.transpose:
                shape.reverse()
                strides.reverse()
            storage = Storage(("storage", kind, value.key, "cpu", array.size))
            arguments = (storage, 0, tuple(shape), tuple(strides), False, {})
            return torch_utils()._rebuild_tensor_v2, arguments

    def torch_utils():
        return sys.modules["torch._utils"]

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(state)
    return buffer.getvalue()


def _tensors(arrays):
    return {
        name: _Tensor(str(index), array)
        for index, (name, array) in enumerate(arrays.items())
    }


def _write_zip(path, torch, state):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", _pickled(torch, state))
        for tensor in state.values():
            archive.writestr(f"net/data/{tensor.key}", tensor.array.tobytes())


def _write_stream(path, torch, state):
    keys = [tensor.key for tensor in state.values()]
    heads = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    with open(path, "wb") as file:
        for head in heads:
            pickle.dump(head, file, protocol=2)
        file.write(_pickled(torch, state))
        pickle.dump(keys, file, protocol=2)
        for tensor in state.values():
            file.write(struct.pack("<q", tensor.array.size))
            file.write(tensor.array.tobytes())


WRITERS = {"zip": _write_zip, "stream": _write_stream}


@pytest.mark.parametrize("form", WRITERS)
def test_arrays_come_back_by_name(form, torch_names, tmp_path):
    WRITERS[form](tmp_path / "a.pth", torch_names, _tensors(ARRAYS))
    state = load_state(tmp_path / "a.pth")
    assert list(state) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert state[name].dtype == array.dtype
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize("form", WRITERS)
def test_strides_are_heeded(form, torch_names, tmp_path):
    array = ARRAYS["conv.weight"]
    state = {"t": _Tensor("0", array, transpose=True)}
    WRITERS[form](tmp_path / "a.pth", torch_names, state)
    found = load_state(tmp_path / "a.pth")["t"]
    np.testing.assert_array_equal(found, array.T)


@pytest.mark.parametrize("form", WRITERS)
def test_a_file_cut_anywhere_is_refused_in_one_line(
    form, torch_names, tmp_path
):
    path = tmp_path / "a.pth"
    WRITERS[form](path, torch_names, _tensors(ARRAYS))
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 7):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match="cannot be read") as caught:
            load_state(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", WRITERS)
def test_a_tensor_beyond_its_numbers_is_refused(form, torch_names, tmp_path):
    tensor = _Tensor("0", np.arange(4, dtype=np.float32))
    path = tmp_path / "a.pth"
    WRITERS[form](path, torch_names, {"t": tensor})
    data = path.read_bytes()
    # The shape (4,) and its count become 9; the numbers stay four.
    pickled = _pickled(torch_names, {"t": tensor})
    forged = pickled.replace(b"K\x04", b"K\x09")
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", forged)
            archive.writestr("net/data/0", tensor.array.tobytes())
    else:
        path.write_bytes(data.replace(pickled, forged))
    with pytest.raises(ValueError, match="beyond the end"):
        load_state(path)


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "torch.load", "torch._utils.exec"]
)
def test_any_other_name_is_refused_and_not_called(name, tmp_path):
    module, _, function = name.rpartition(".")
    code = f"c{module}\n{function}\n(S'touch {tmp_path}/ran'\ntR.".encode()
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("net/data.pkl", code)
    with pytest.raises(ValueError, match=f"it names {name}"):
        load_state(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


def test_what_is_no_state_dictionary_is_said(torch_names, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps([1, 2], protocol=2))
    with pytest.raises(ValueError, match="it holds a list"):
        load_state(tmp_path / "a.pth")
