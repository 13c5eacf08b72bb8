"""An exported model beside the Keras model that it was made of."""

import dataclasses
import io
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from byol_tf.checks import check_number
from byol_tf.data.images import Images
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.knn import knn_accuracy
from byol_tf.serving.signatures import DEFAULT, IMAGES, Model

TIMED = 64  # images of a batch whose throughput is measured


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is compared, and how far it may differ.

    Attributes:
        images: of the training and of the test images, for kNN.
        batch: images that are compared one by one.
        repeats: of each timing; the median counts.
        neighbours: of kNN, at most.
        temperature: of kNN's votes.
        seed: of the choice of images.
        max_difference: tolerated, by the largest value.
        min_cosine: tolerated, of the same pixels.
        min_cosine_files: tolerated, of files that Pillow decoded elsewhere.
    """

    images: int = 1000
    batch: int = 64
    repeats: int = 5
    neighbours: int = 20
    temperature: float = 0.07
    seed: int = 0
    max_difference: float = 1e-3
    min_cosine: float = 0.9999
    min_cosine_files: float = 0.95

    def __post_init__(self):
        for field in ("images", "batch", "repeats", "neighbours"):
            check_number(f"verify.{field}", getattr(self, field), 1)
        check_number("verify.temperature", self.temperature, 1e-6)


def verify(
    load: Callable[[], object],
    encoder: Model,
    train: Images,
    test: Images,
    settings: Settings,
) -> dict:
    """Numbers of the comparison, as JSON values.

    Args:
        load: loads the export, as `tf.saved_model.load` does.
        encoder: what it was made of.
        train: images that vote in kNN; unused without labels.
        test: images to compare on.
        settings: see there.

    Returns:
        `by_signature`: of each, `largest_difference` (by the largest value),
        `smallest_cosine` and number of `images`; `files` are the files that
        the images come from, if they do. Then `knn` with the accuracies of
        both, or None without labels, and `timing`.
    """
    loaded = load()  # held: its variables live as long as it does
    serve, from_images = (loaded.signatures[n] for n in (DEFAULT, IMAGES))
    rng = np.random.default_rng(settings.seed)
    few = _some(test, settings.batch, rng)
    pixels = np.asarray(few.images)
    extract = FeatureExtractor(encoder.model, encoder.prepare, settings.batch)

    def exported(images):
        steps = range(0, len(images), settings.batch)
        parts = [tf.constant(images[s : s + settings.batch]) for s in steps]
        outputs = [from_images(images=part) for part in parts]
        return np.concatenate([o["representations"] for o in outputs])

    wanted = extract(pixels)
    compared = {"images": compare(wanted, exported(pixels))}
    files = [png(image) for image in pixels]
    # Files are cut to squares of the size of the data; other images are not.
    if few.image_shape[:2] == (encoder.image_size,) * 2:
        compared["bytes"] = compare(wanted, _of_files(serve, files))
    if few.folder and few.paths:
        folder = pathlib.Path(few.folder)
        originals = [(folder / path).read_bytes() for path in few.paths]
        compared["files"] = compare(wanted, _of_files(serve, originals))
    return {
        "by_signature": compared,
        "knn": _knn(extract, exported, train, test, settings, rng),
        "timing": _timing(serve, files, settings.repeats),
    }


def check(numbers: Mapping, settings: Settings) -> None:
    """Raises a ValueError if a tolerance is exceeded."""
    for name, row in numbers["by_signature"].items():
        of_files = name == "files"
        least = settings.min_cosine_files if of_files else settings.min_cosine
        most = np.inf if of_files else settings.max_difference
        difference, cosine = row["largest_difference"], row["smallest_cosine"]
        # Written so that NaN is refused.
        if not (cosine >= least and difference <= most):
            raise ValueError(
                f"the export differs from the encoder and was removed: by "
                f"{name}, smallest cosine {cosine:.6f} (tolerated {least:g}), "
                f"largest difference {difference:.2g} (tolerated {most:g}); "
                "see verify in configs/export.py"
            )


def compare(wanted: np.ndarray, got: np.ndarray) -> dict:
    """How far two arrays `[n, d]` of representations differ."""
    wanted, got = (np.asarray(a, np.float64) for a in (wanted, got))
    lengths = np.linalg.norm(wanted, axis=1) * np.linalg.norm(got, axis=1)
    products = np.sum(wanted * got, axis=1)
    alike = np.all(wanted == got, axis=1)  # two zero vectors are
    safe = np.where(lengths > 0, lengths, 1.0)
    cosine = np.where(alike, 1.0, products / safe)
    largest = max(float(np.abs(wanted).max()), np.finfo(np.float32).tiny)
    return {
        "largest_difference": float(np.abs(wanted - got).max()) / largest,
        "smallest_cosine": float(cosine.min()),
        "images": len(wanted),
    }


def png(image: np.ndarray) -> bytes:
    """The PNG file of uint8 `[height, width, 1 or 3]`."""
    plain = image[..., 0] if image.shape[-1] == 1 else image
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plain)).save(file, "PNG")
    return file.getvalue()


def table(verification: Mapping) -> str:
    """The numbers as lines of text."""
    lines = [
        f"{'Size on disk':24}{verification['bytes_on_disk'] / 2**20:.2f} MiB",
        f"{'Compared by':24}{'difference':>12}{'cosine':>12}{'images':>8}",
    ]
    for name, row in verification["by_signature"].items():
        lines.append(
            f"  {name:22}{row['largest_difference']:>12.2e}"
            f"{row['smallest_cosine']:>12.7f}{row['images']:>8}"
        )
    if knn := verification["knn"]:
        lines.append(
            f"{'kNN accuracy':24}exported {100 * knn['exported']:.2f} %, "
            f"Keras {100 * knn['keras']:.2f} % ({knn['queries']} images)"
        )
    timing = verification["timing"]
    lines += [
        f"{'Latency, 1 image':24}{timing['latency_ms']:.2f} ms",
        f"{f'Throughput, {TIMED} at once':24}"
        f"{timing['images_per_second']:.0f} images/s",
    ]
    return "\n".join(lines)


def _some(images, count, rng):
    if images.num_examples <= count:
        return images
    chosen = rng.choice(images.num_examples, count, replace=False)
    return images.subset(np.sort(chosen))


def _of_files(serve, files: Sequence[bytes]):
    return serve(bytes=tf.constant(files))["representations"].numpy()


def _knn(extract, exported, train, test, settings, rng):
    parts = []
    for images in (train, test):
        labelled = images.subset(np.flatnonzero(images.labels >= 0))
        if not labelled.num_examples:
            return None
        parts.append(_some(labelled, settings.images, rng))
    bank, queries = parts
    k = min(settings.neighbours, bank.num_examples)

    def accuracy(encode):
        return knn_accuracy(
            encode(np.asarray(bank.images)),
            bank.labels,
            encode(np.asarray(queries.images)),
            queries.labels,
            num_classes=max(bank.num_classes, queries.num_classes),
            k=k,
            temperature=settings.temperature,
        )

    return {
        "exported": accuracy(exported),
        "keras": accuracy(extract),
        "k": k,
        "bank": bank.num_examples,
        "queries": queries.num_examples,
    }


def _timing(serve, files, repeats):
    one = tf.constant(files[:1])
    many = tf.constant([files[i % len(files)] for i in range(TIMED)])
    return {
        "latency_ms": 1000 * _seconds(serve, one, repeats),
        "images_per_second": TIMED / _seconds(serve, many, repeats),
    }


def _seconds(serve, files, repeats):
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        serve(bytes=files)["representations"].numpy()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])  # the first one warms up
