"""Builds the embedded data set from the four IDX files of Fashion-MNIST.

    python tools/make_embedded.py --source=/usr/share/datasets/fashion-mnist

The folder holds `train-images-idx3-ubyte.gz` and the three others as their
authors publish them; Debian's package `dataset-fashion-mnist` installs them
at the default place. The result depends only on them, and its bytes also on the
version of zlib.
"""

import argparse
import gzip
import pathlib

import numpy as np

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
TRAIN_PER_CLASS = 1000
TEST_PER_CLASS = 200
SEED = 0


def read_idx(path: pathlib.Path) -> np.ndarray:
    """Reads a gzipped IDX file of unsigned bytes."""
    data = gzip.decompress(path.read_bytes())
    rank = data[3]
    if data[:3] != b"\0\0\x08" or rank == 0:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    shape = np.frombuffer(data, ">u4", rank, 4).astype(int)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def balanced_choice(labels: np.ndarray, per_class: int, seed: int):
    """Returns sorted indices of `per_class` random examples per class."""
    rng = np.random.RandomState(seed)  # its streams never change
    return np.sort(
        np.concatenate(
            [
                rng.permutation(np.flatnonzero(labels == label))[:per_class]
                for label in np.unique(labels)
            ]
        )
    )


def make(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes the class-balanced subset of both splits."""
    arrays = {"class_names": np.array(CLASS_NAMES)}
    for split, prefix, per_class in (
        ("train", "train", TRAIN_PER_CLASS),
        ("test", "t10k", TEST_PER_CLASS),
    ):
        images = read_idx(source / f"{prefix}-images-idx3-ubyte.gz")
        labels = read_idx(source / f"{prefix}-labels-idx1-ubyte.gz")
        index = balanced_choice(labels, per_class, SEED)
        arrays[f"{split}_images"] = images[index][..., np.newaxis]
        arrays[f"{split}_labels"] = labels[index]
        arrays[f"{split}_index"] = index.astype(np.int32)
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target, allow_pickle=False, **arrays)


def main() -> None:
    """Writes the images that the package embeds."""
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--source",
        type=pathlib.Path,
        default=pathlib.Path("/usr/share/datasets/fashion-mnist"),
        help="folder of the four .gz files",
    )
    parser.add_argument(
        "--target",
        type=pathlib.Path,
        default=root / "byol_tf/data/embedded/fashion_mnist.npz",
    )
    arguments = parser.parse_args()
    make(arguments.source, arguments.target)
    print(f"{arguments.target}: {arguments.target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
