"""Measures the machine's peak by the fastest of some matrix products."""

import itertools

import tensorflow as tf

from benchmarks.workers import protocol

SIZES = (1024, 2048, 3072)
DTYPES = ("bfloat16", "float32")  # as steps compute; which is faster depends


def prepare(case: dict) -> protocol.Repeated:
    """Chooses the size and type of product with the highest rate."""
    rates, pieces = {}, {}
    for size, dtype in itertools.product(SIZES, DTYPES):
        name = f"{dtype}, {size} x {size}"
        piece = _product(size, dtype)
        piece()
        rates[name] = _gflop(size) / protocol.shortest(piece)
        pieces[name] = (piece, _gflop(size))
    best = max(rates, key=rates.get)
    info = {"variant": best, "tried": rates}
    return protocol.Repeated(*pieces[best], case["seconds"], info)


def _product(size, dtype):
    left, right = (
        tf.cast(tf.random.normal([size, size]), dtype) for _ in range(2)
    )
    product = tf.function(tf.matmul)

    def piece():
        product(left, right)[0, 0].numpy()

    return piece


def _gflop(size):
    return 2 * size**3 / 1e9


if __name__ == "__main__":
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu")
