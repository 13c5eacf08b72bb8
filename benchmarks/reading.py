"""Measures the processor time from photo files to two crops of each.

    python -m benchmarks.reading --only=files,shards,pixels,tf.data
    python -m benchmarks.reading --only=torchvision  in a Python with it

Each runs in its own process. Processor time is compared, since other work on
the machine changes it much less than rates.
"""

import argparse
import functools
import itertools
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from PIL import Image

from benchmarks.photos import photo

# Width, height, quality, pixels of a view, photos.
CASES = (
    (256, 256, 90, 64, 256),
    (500, 375, 90, 224, 128),
    (2000, 1500, 85, 224, 16),
)
WARM, TIMED = 10, 16  # batches; many, since some are made ahead
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)


def write(folder: pathlib.Path, case) -> None:
    """Writes photos with noise of all scales."""
    width, height, quality, _, count = case
    for number in range(count):
        image = Image.fromarray(photo(number)).resize((width, height))
        path = folder / "photos" / f"{number:04}.jpg"
        path.parent.mkdir(exist_ok=True)
        image.save(path, quality=quality)


def ours(store: str, paths, size, batch) -> Callable:
    """Makes training batches of photos kept under a `data.store`."""
    from byol_tf import TwoViews
    from byol_tf.data import sources
    from byol_tf.data.batches import training_batches
    from byol_tf.data.pack import packed
    from byol_tf.data.store import Store
    from byol_tf.modalities.image.kept import codec
    from byol_tf.modalities.image.reading import image_decoder
    from byol_tf.seeds import step_seed

    folder = pathlib.Path(paths[0]).parent
    views = TwoViews.byol(size, area=AREA, aspect=ASPECT)
    photos = sources.load("folder", directory=folder, decoder=image_decoder())
    if store != "files":
        photo_codec = codec(store, photos, views)
        disk = Store(cache_dir=folder.parent)
        photos = packed(photos, photo_codec, disk, on_disk=store == "shards")
    seed = functools.partial(step_seed, 0)
    return functools.partial(
        next,
        iter(
            training_batches(photos, batch, seed=0, views=views, view_seed=seed)
        ),
    )


def plain(paths, size, batch) -> Callable:
    """Decodes, crops and resizes by ops of `tf.data`."""
    import tensorflow as tf

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

    dataset = tf.data.Dataset.from_tensor_slices(paths)
    dataset = dataset.shuffle(len(paths)).repeat()
    dataset = dataset.map(views, num_parallel_calls=2).batch(batch)
    return functools.partial(next, iter(dataset.prefetch(2)))


def torchvision(paths, size, batch) -> Callable:
    """Decodes and crops as lightly's loader does, in this process."""
    import numpy as np
    from torchvision.transforms import InterpolationMode, RandomResizedCrop

    interpolation = InterpolationMode.BICUBIC
    crop = RandomResizedCrop(size, AREA, ASPECT, interpolation=interpolation)
    path_cycle = itertools.cycle(paths)

    def load_batch():
        for path in itertools.islice(path_cycle, batch):
            with open(path, "rb") as file:
                image = Image.open(file).convert("RGB")
            for _ in range(2):
                np.asarray(crop(image))

    return load_batch


CONTESTANTS = {
    "files": functools.partial(ours, "files"),
    "shards": functools.partial(ours, "shards"),
    "pixels": functools.partial(ours, "pixels"),
    "tf.data": plain,
    "torchvision": torchvision,
}


def measure(name: str, folder: pathlib.Path, case) -> float:
    """Returns milliseconds of processor time per photo in this process."""
    *_, size, count = case
    batch = min(count, 64)
    paths = sorted(map(str, (folder / "photos").iterdir()))
    step = CONTESTANTS[name](paths, size, batch)
    for _ in range(WARM):
        step()
    start = time.process_time()
    for _ in range(TIMED):
        step()
    return 1000 * (time.process_time() - start) / (TIMED * batch)


def main() -> None:
    flags = argparse.ArgumentParser("python -m benchmarks.reading")
    flags.add_argument("--only", default=",".join(CONTESTANTS))
    flags.add_argument("--cases", default="0,1,2")
    flags.add_argument("--folder", help="measures one in it, in this process")
    options = flags.parse_args()
    chosen = [CASES[int(number)] for number in options.cases.split(",")]
    if options.folder:
        print(measure(options.only, pathlib.Path(options.folder), chosen[0]))
        return
    for number, case in zip(options.cases.split(","), chosen, strict=True):
        width, height, _, size, _ = case
        with tempfile.TemporaryDirectory() as folder:
            write(pathlib.Path(folder), case)
            for name in options.only.split(","):
                command = [sys.executable, "-m", "benchmarks.reading"]
                command += ["--only", name, "--cases", number]
                result = subprocess.run(
                    [*command, "--folder", folder],
                    capture_output=True,
                    text=True,
                )
                text = (result.stdout or result.stderr).strip().splitlines()
                print(f"{width}x{height} to two of {size}: {name} {text[-1]}")


if __name__ == "__main__":
    main()
