"""Reads arrays and plain values from a pickle without running it.

A pickle is a program for a small machine that may import and call anything it
names. This machine imports nothing: a name in the file is a pair of words.
Calling it runs code of `jobs.convert.allowed`, which knows the few names found
in official checkpoints.
"""

import os
import pathlib
import pickletools
from collections.abc import Callable

from byol_tf.jobs.convert import allowed
from byol_tf.lines import first_line

Path = str | os.PathLike

# Opcodes whose argument is the value.
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4")
_FLOATS = ("FLOAT", "BINFLOAT")
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_STRINGS = ("STRING", "BINSTRING", "SHORT_BINSTRING")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_VALUES = frozenset((*_NUMBERS, *_FLOATS, *_TEXTS, *_STRINGS, *_BYTES))
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_GET = frozenset(("GET", "BINGET", "LONG_BINGET"))
_PUT = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = frozenset(("PROTO", "FRAME", "STOP"))
_MARK = object()


def load(path: Path):
    """Reads a pickle of arrays and plain values.

    Args:
        path: path of a pickle of any protocol.

    Returns:
        Mappings and named tuples as dictionaries; NumPy arrays, those of JAX
        included; tuples, lists, strings, bytes, numbers, booleans and None.

    Raises:
        ValueError: if the file names any other class or function, uses another
            feature of pickles, or is damaged. One line.
        OSError: if it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            return _Machine().run(file)
        except allowed.Refused as error:
            raise ValueError(
                f"{pathlib.Path(path).name} was refused: {error}; a checkpoint "
                "needs nothing but arrays, mappings, tuples and numbers, and "
                "nothing of this file was run"
            ) from error
        except Exception as error:
            # A damaged file can cause any error.
            raise ValueError(
                f"{path} is no checkpoint, or a damaged one: it cannot be "
                f"read as a pickle ({first_line(error)})"
            ) from error


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self):
        self.stack = []
        self.memo = {}

    def run(self, file):
        for opcode, argument, _ in pickletools.genops(file):
            self.step(opcode.name, argument)
        (result,) = self.stack
        return result

    def step(self, name: str, argument) -> None:
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _GET:
            self.stack.append(self.memo[argument])
        elif name in _PUT:
            self.memo[argument] = self.stack[-1]
        elif name in _TUPLES:
            self.stack.append(tuple(self.pop(_TUPLES[name])))
        elif name in _OTHERS:
            _OTHERS[name](self, argument)
        elif name not in _IGNORED:
            raise allowed.Refused(f"it uses the pickle opcode {name}")

    def pop(self, count: int) -> list:
        if len(self.stack) < count:
            raise ValueError("too few values")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def pop_to_mark(self) -> list:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def set_items(self, values: list) -> None:
        _top(self.stack, dict).update(_dict(values))

    def call(self) -> None:
        function, arguments = self.pop(2)
        self.stack.append(allowed.call(function, arguments))

    def build(self) -> None:
        (state,) = self.pop(1)
        allowed.set_state(self.stack[-1], state)

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]


def _top(stack, expected_type):
    if not isinstance(stack[-1], expected_type):
        raise ValueError(f"a {expected_type.__name__} was expected")
    return stack[-1]


def _dict(values):
    return dict(zip(values[::2], values[1::2], strict=True))


_OTHERS: dict[str, Callable] = {
    "MARK": lambda m, _: m.stack.append(_MARK),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.pop_to_mark(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.pop_to_mark())),
    "LIST": lambda m, _: m.stack.append(m.pop_to_mark()),
    "DICT": lambda m, _: m.stack.append(_dict(m.pop_to_mark())),
    "APPEND": lambda m, _: _append(m, m.pop(1)),
    "APPENDS": lambda m, _: _append(m, m.pop_to_mark()),
    "SETITEM": lambda m, _: m.set_items(m.pop(2)),
    "SETITEMS": lambda m, _: m.set_items(m.pop_to_mark()),
    "MEMOIZE": lambda m, _: m.memoize(),
    "GLOBAL": lambda m, name: m.stack.append(
        allowed.check_name(*name.split(" "))
    ),
    "STACK_GLOBAL": lambda m, _: m.stack.append(allowed.check_name(*m.pop(2))),
    "REDUCE": lambda m, _: m.call(),
    "NEWOBJ": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
}


def _append(machine, values):
    _top(machine.stack, list).extend(values)
