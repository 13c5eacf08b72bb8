"""The machine's bfloat16 peak: the fastest of a few matrix products."""

import tensorflow as tf

from benchmarks.workers import protocol

SIZES = (1024, 2048, 3072)


def prepare(case: dict) -> protocol.Repeated:
    """Products of the size with the highest rate."""
    pieces = {size: _product(size) for size in SIZES}
    rates = {}
    for size, piece in pieces.items():
        piece()
        rates[size] = _gflop(size) / protocol.shortest(piece)
    best = max(rates, key=rates.get)
    info = {"variant": f"{best} x {best}", "tried": rates}
    return protocol.Repeated(pieces[best], _gflop(best), case["seconds"], info)


def _product(size):
    left, right = (
        tf.cast(tf.random.normal([size, size]), tf.bfloat16) for _ in range(2)
    )
    product = tf.function(tf.matmul)

    def piece():
        product(left, right)[0, 0].numpy()

    return piece


def _gflop(size):
    return 2 * size**3 / 1e9


if __name__ == "__main__":
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu")
