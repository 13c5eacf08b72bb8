"""`.npy` files as numpy writes them, and damaged ones."""

import ast
import io

import numpy as np
import pytest

from byol_tf.data.npy import load_npy
from byol_tf.data.rows import Unreadable


def saved(array, **kwargs):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **kwargs)
    return file.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<f4"),
        np.arange(6, dtype=">u2").reshape(2, 3),
        np.asfortranarray(np.arange(24, dtype="i8").reshape(2, 3, 4)),
        np.array(3.5),
        np.zeros((0, 4), "?"),
        np.array(["a", "é"]),
        np.arange(3, dtype="c16"),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_arrays_are_those_of_numpy(array, version):
    data = saved(array, version=version)
    read, wanted = load_npy(data), np.load(io.BytesIO(data))
    assert (read.dtype, read.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(read, wanted)


def test_a_path_is_read_as_its_bytes_are(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    np.testing.assert_array_equal(load_npy(tmp_path / "a.npy"), [0, 1, 2])


def test_a_header_of_another_writer_is_read():
    text = b'{"shape":(2,3), "descr":"<u1", "fortran_order":False}\n'
    data = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text
    assert load_npy(data + b"abcdef").tolist() == [
        [97, 98, 99],
        [100, 101, 102],
    ]


def test_pythons_parser_is_not_asked(monkeypatch):
    """CPython 3.11 does not protect it from threads."""

    def refuse(text):
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr(ast, "literal_eval", refuse)
    data = saved(np.arange(3))
    with pytest.raises(SystemError):
        np.load(io.BytesIO(data))
    assert load_npy(data).tolist() == [0, 1, 2]


GOOD = saved(np.arange(4, dtype="<f4"))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "not a .npy file"),
        (GOOD[:7], "not a .npy file"),
        (b"\x89PNG\r\n\x1a\n" + GOOD[8:], "not a .npy file"),
        (GOOD[:40], "header"),
        (GOOD[:-1], "15 bytes of values instead of 16"),
        (GOOD.replace(b"(4,)", b"(9" + b"9" * 18 + b",)"), "instead of 3"),
        (GOOD.replace(b"<f4", b"<f5"), "f5"),
        (saved(np.array([{}]), allow_pickle=True), "Python objects"),
        (saved(np.zeros(2, "f4,i2")), "header"),
        (GOOD.replace(b"(4,)", b"(a,)"), "header"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(data, reason):
    with pytest.raises(Unreadable, match=reason):
        load_npy(data)


def test_a_file_that_is_gone_is_unreadable(tmp_path):
    with pytest.raises(Unreadable, match="No such file"):
        load_npy(tmp_path / "gone.npy")
