"""Runs functions step by step, where compiling them is not the subject."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Compiles no `tf.function` within the block.

    A few steps are done sooner than they are compiled. Functions of `tf.data`
    and those that are exported are compiled nevertheless.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
