"""A checkpoint is read as data; what a pickle could run is refused."""

import collections
import contextlib
import copyreg
import os
import pathlib
import pickle
import struct

import numpy as np
import pytest

from byol_tf.jobs.convert import unpickle

DATA = pathlib.Path(__file__).parents[2] / "data"
TINY = DATA / "official_tiny_checkpoint.pkl"
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def text(value):
    """A text of protocol 2, as opcodes."""
    value = value.encode()
    return b"X" + struct.pack("<I", len(value)) + value


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


class WithState:
    """Pickles as a value of an allowed class with a state of its own."""

    def __reduce__(self):
        return collections.OrderedDict, (), {"a": 1}


def command(tmp_path):
    return f"touch {tmp_path / 'executed'}"


# Opcodes and what each wants to run; `%s` is a shell command.
PROGRAMS = {
    "a global": b"cos\nsystem\n(X%stR.",
    "a global of protocol 4": (
        b"\x80\x04" + text("os") + text("system") + b"\x93(X%stR."
    ),
    "nested calls": (
        b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n("
        + text("os")
        + b"tR"
        + text("system")
        + b"tR(X%stR."
    ),
    "an instance of protocol 0": b"(X%sios\nsystem\n.",
    "an object of protocol 1": b"(cos\nsystem\nX%so.",
    "an extension code": b"\x82\xf0(X%stR.",
    "an allowed name of another module": b"cos\nencode\n(X%stR.",
    "a dotted name": (
        b"\x80\x04" + text("numpy") + text("os.system") + b"\x93(X%stR."
    ),
    "a call of a text": text("os.system") + b"(X%stR.",
    "a state of an allowed name": (
        b"cnumpy\nndarray\n}X\x01\x00\x00\x00acos\nsystem\nsb."
    ),
    "a persistent value": b"Pos.system\n.",
    "a class with keywords": (
        b"\x80\x04" + text("os") + text("system") + b"\x93)}\x92."
    ),
}


# Those of them that Python's own reader runs.
LIVE = [
    "a global",
    "a global of protocol 4",
    "nested calls",
    "an instance of protocol 0",
    "an object of protocol 1",
    "an extension code",
]


@pytest.fixture
def program(tmp_path):
    """Writes a program that would make the file `executed`."""

    def write(name):
        shell = command(tmp_path).encode()
        argument = struct.pack("<I", len(shell)) + shell
        path = tmp_path / "evil.pkl"
        path.write_bytes(PROGRAMS[name].replace(b"%s", argument))
        return path

    copyreg.add_extension("os", "system", 0xF0)
    yield write
    copyreg.remove_extension("os", "system", 0xF0)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_refused_and_run_nothing(name, program, tmp_path):
    with pytest.raises(ValueError, match=r"evil\.pkl was refused"):
        unpickle.load(program(name))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", LIVE)
def test_the_programs_are_alive_in_another_reader(name, program, tmp_path):
    with contextlib.suppress(Exception):
        pickle.loads(program(name).read_bytes())
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "refused,evil",
    [
        ("system", lambda shell: Calls(os.system, shell)),
        ("eval", lambda shell: Calls(eval, f"print({shell!r})")),
        ("getattr", lambda shell: Calls(getattr, "", "join")),
        ("__import__", lambda shell: Calls(__import__, "os")),
        ("_reconstructor", lambda shell: Calls(
            copyreg._reconstructor, dict, object, None
        )),
        ("add_extension", lambda shell: Calls(
            copyreg.add_extension, "os", "system", 1
        )),
        ("load", lambda shell: Calls(pickle.loads, pickle.dumps(1))),
        ("state of a value of type dict", lambda shell: WithState()),
        ("array of", lambda shell: np.array([Calls(os.system, shell)])),
        ("OfTheFile", lambda shell: Calls(OfTheFile)),
    ],
)  # fmt: skip
def test_what_python_would_run_is_refused_by_its_name(
    refused, evil, protocol, tmp_path
):
    path = tmp_path / "evil.pkl"
    content = {"experiment_state": evil(command(tmp_path))}
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match=rf"refused: .*{refused}") as error:
        unpickle.load(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "executed").exists()


class OfTheFile:
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_and_plain_values_are_those_that_were_written(
    protocol, tmp_path
):
    rng = np.random.default_rng(0)
    shared = [1, 2]
    value = {
        "texts": ("a", "é", b"\x00\xff", ""),
        "numbers": [0, -1, 255, 65536, 1 << 40, -(1 << 80), 1.5, True, None],
        "nested": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}),
        "shared": (shared, shared),
        "ordered": collections.OrderedDict(a=1, b=[2]),
        "scalar": np.float32(2.5),
        **{
            str(np.dtype(code)) + code: (100 * rng.random((2, 3))).astype(code)
            for code in ("f2", "<f4", ">f4", "f8", "u1", "i4", ">i8", "?")
        },
        "fortran": np.asfortranarray(rng.random((3, 4))),
        "no axes": np.array(3.0),
        "empty": np.zeros((0, 5), np.float32),
    }
    path = tmp_path / "values.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    read = unpickle.load(path)
    assert read["shared"][0] is read["shared"][1]
    assert read.keys() == value.keys()
    for key in value:
        if isinstance(value[key], (np.ndarray, np.generic)):
            types = read[key].dtype, value[key].dtype
            assert types[0].newbyteorder("=") == types[1].newbyteorder("=")
            np.testing.assert_array_equal(read[key], value[key])
        else:
            assert read[key] == value[key]


def test_the_official_file_becomes_plain_mappings():
    content = unpickle.load(TINY)
    assert set(content) == {"experiment_state", "step", "rng"}
    assert content["step"] == 6
    assert list(content["experiment_state"]) == [
        "online_params", "target_params", "online_state", "target_state",
        "opt_state",
    ]  # fmt: skip
    assert type(content["experiment_state"]["online_params"]) is dict


def test_every_shortened_file_is_refused_in_one_line(tmp_path):
    content = TINY.read_bytes()
    path = tmp_path / "short.pkl"
    for length in (0, 1, 100, 1000, 5000, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="no checkpoint") as error:
            unpickle.load(path)
        assert "\n" not in str(error.value)


def test_any_changed_byte_gives_values_or_one_error(tmp_path):
    content = bytearray(TINY.read_bytes()[:3000] + b".")
    path = tmp_path / "changed.pkl"
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 150):
        changed = content.copy()
        changed[place] = rng.integers(256)
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=r"refused|no checkpoint"):
            unpickle.load(path)


@pytest.mark.parametrize("shape", [(3, 3), (-2, -2), (1 << 62, 4), ()])
def test_an_array_whose_content_does_not_fit_is_refused(shape, tmp_path):
    array = np.zeros(4, np.float32)
    function, arguments, state = array.__reduce__()

    class Wrong:
        def __reduce__(self):
            return function, arguments, (state[0], shape, *state[2:])

    path = tmp_path / "wrong.pkl"
    path.write_bytes(pickle.dumps(Wrong(), 2))
    with pytest.raises(ValueError, match="does not fit its shape"):
        unpickle.load(path)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        unpickle.load(tmp_path / "none.pkl")
