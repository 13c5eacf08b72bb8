"""Processor time from the files of photos to two crops of each.

    python -m benchmarks.reading                   ours, and plain tf.data
    python -m benchmarks.reading --peer            torchvision, in its Python

In turns, the median of the rounds: other work on the machine changes rates,
and processor time much less.
"""

import argparse
import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

from PIL import Image

from benchmarks.photos import photo

# Width, height, quality, pixels of a view, photos.
CASES = (
    (256, 256, 90, 64, 256),
    (500, 375, 90, 224, 128),
    (2000, 1500, 85, 224, 16),
)
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)


def write(folder: pathlib.Path, case) -> list[str]:
    """Writes photos with noise of all scales; returns their paths."""
    width, height, quality, _, count = case
    for number in range(count):
        image = Image.fromarray(photo(number)).resize((width, height))
        path = folder / "photos" / f"{number:04}.jpg"
        path.parent.mkdir(exist_ok=True)
        image.save(path, quality=quality)
    return sorted(map(str, (folder / "photos").iterdir()))


def ours(store: str, paths, case) -> Callable:
    """Batches of training, of photos kept in a store."""
    from byol_tf import TwoViews
    from byol_tf.data import sources
    from byol_tf.data.batches import training_batches
    from byol_tf.data.pack import packed
    from byol_tf.data.store import Store
    from byol_tf.modalities.image.kept import codec
    from byol_tf.modalities.image.reading import image_decoder
    from byol_tf.seeds import step_seed

    folder = pathlib.Path(paths[0]).parent
    views = TwoViews.byol(case[3], area=AREA, aspect=ASPECT)
    examples = sources.load(
        "folder", directory=str(folder), decoder=image_decoder()
    )
    if store != "files":
        examples = packed(
            examples,
            codec(store, examples, views),
            Store(cache_dir=folder.parent),
            on_disk=store == "shards",
        )
    batches = training_batches(
        examples,
        min(len(paths), 64),
        seed=0,
        views=views,
        view_seed=functools.partial(step_seed, 0),
    )
    batches = iter(batches)
    steps = len(paths) // min(len(paths), 64)

    def epoch():
        for _ in range(steps):
            next(batches)

    return epoch


def plain(paths, case) -> Callable:
    """`tf.data`: decode_jpeg, a drawn box and an antialiased resize a view."""
    import tensorflow as tf

    size = case[3]

    def view(image):
        box = tf.image.sample_distorted_bounding_box(
            tf.shape(image),
            tf.zeros([1, 0, 4]),
            area_range=AREA,
            aspect_ratio_range=ASPECT,
            use_image_if_no_bounding_boxes=True,
        )
        crop = tf.slice(image, box.begin, box.size)
        crop = tf.image.resize(
            crop, (size, size), tf.image.ResizeMethod.BICUBIC, antialias=True
        )
        return tf.cast(tf.clip_by_value(tf.round(crop), 0.0, 255.0), tf.uint8)

    def views(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), 3)
        return view(image), view(image)

    batch = min(len(paths), 64)
    dataset = tf.data.Dataset.from_tensor_slices(paths)
    dataset = dataset.shuffle(len(paths)).repeat()
    dataset = dataset.map(views, num_parallel_calls=tf.data.AUTOTUNE)
    batches = iter(dataset.batch(batch).prefetch(2))

    def epoch():
        for _ in range(len(paths) // batch):
            next(batches)

    return epoch


def torchvision(paths, case) -> Callable:
    """What lightly's loader does until the crops, in this process."""
    from torchvision.transforms import InterpolationMode, RandomResizedCrop

    crop = RandomResizedCrop(
        case[3], AREA, ASPECT, interpolation=InterpolationMode.BICUBIC
    )

    def epoch():
        for path in paths:
            with open(path, "rb") as file:
                image = Image.open(file).convert("RGB")
            crop(image), crop(image)

    return epoch


def contestants(peer: bool) -> Iterator[tuple[str, Callable]]:
    """Names, and what makes an epoch of paths and a case."""
    if peer:
        yield "torchvision", torchvision
        return
    for store in ("files", "shards", "pixels"):
        yield f"ours, {store}", functools.partial(ours, store)
    yield "plain tf.data", plain


def measure(case, rounds: int, peer: bool) -> dict[str, float]:
    """Milliseconds of processor time a photo, by contestant."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write(pathlib.Path(folder), case)
        epochs = {name: make(paths, case) for name, make in contestants(peer)}
        times = {name: [] for name in epochs}
        for epoch in epochs.values():
            epoch()  # what is made once, and batches ahead
        for _ in range(rounds):
            for name, epoch in epochs.items():
                start = time.process_time()
                epoch()
                times[name].append(time.process_time() - start)
    return {
        name: 1000 * statistics.median(found) / len(paths)
        for name, found in times.items()
    }


def main() -> None:
    flags = argparse.ArgumentParser("python -m benchmarks.reading")
    flags.add_argument("--rounds", type=int, default=7)
    flags.add_argument("--peer", action="store_true")
    options = flags.parse_args()
    for case in CASES:
        width, height, _, size, _ = case
        found = measure(case, options.rounds, options.peer)
        shown = ", ".join(f"{name} {ms:.2f}" for name, ms in found.items())
        print(f"{width}x{height} to two of {size} px, ms a photo: {shown}")


if __name__ == "__main__":
    main()
