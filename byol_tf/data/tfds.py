"""Image sets of TensorFlow Datasets."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.data.store import Store, decode_into
from byol_tf.modalities.image.decode import (
    MAX_PIXELS,
    ImageError,
    check_channels,
    decode_image,
    decode_square,
)

BATCH = 1024  # examples read at a time


def load_tfds(
    name: str,
    split: str,
    directory: str | os.PathLike,
    image_size: int | None,
    channels: int | None,
    store: Store,
    download: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Examples:
    """Decodes one split of a data set that is prepared on disk.

    Args:
        name: as `tfds.load` takes it, such as "cifar10" or
            "imagenet2012_subset/10pct".
        split: as `tfds.load` takes it, such as "train" or "train[:10%]".
        directory: the `data_dir`; "" for the default of TensorFlow Datasets.
        image_size: pixels of a side, see `sources.load`.
        channels: 1 or 3; None for those of the set.
        store: where the pixels go.
        download: fetch and prepare the set if it is not there.
        max_pixels: larger images are not decoded but skipped, unless they are
            as wanted already.

    Raises:
        ValueError: if there is no such set or split, if the set has no
            images, or if they differ in size and `image_size` is missing.
    """
    check_channels(channels)
    builder = _builder(name, directory, download)
    count = _count(builder, split)
    image_key, label_key = _feature_keys(builder)
    feature = builder.info.features[image_key]
    shape = _shape(name, feature, image_size, channels)
    plain = tuple(feature.shape) == shape and feature.np_dtype == np.uint8
    keys = image_key, label_key

    def write(array):
        if plain:
            return _read_plain(builder, split, *keys, array)
        return _read_encoded(
            builder, split, *keys, array, image_size, max_pixels
        )

    pixels, labels, skipped = store.fill(
        count,
        shape,
        write,
        name=name.replace("/", "-").replace(":", "-"),
        key=(str(builder.data_path), builder.info.full_name, split, max_pixels),
    )
    names = ()
    if label_key and hasattr(builder.info.features[label_key], "names"):
        names = tuple(builder.info.features[label_key].names)
    return Examples(pixels, labels, names, name, tuple(skipped))


def _builder(name, directory, download):
    # Slow to import, and only this source needs it.
    import tensorflow_datasets as tfds

    data_dir = str(directory) if directory else None
    if data_dir and not download and not pathlib.Path(data_dir).is_dir():
        raise ValueError(f"there is no folder {data_dir!r} of prepared sets")
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, ImportError) as error:
        first_line = str(error).strip().split("\n")[0]
        raise ValueError(
            f"TensorFlow Datasets cannot use the name {name!r}: {first_line} "
            + _prepared(data_dir)
        ) from error
    if download and not builder.is_prepared():
        _download(builder)
    if not builder.is_prepared():
        raise ValueError(
            f"{name} is not prepared in {builder.data_dir_root}. "
            f"{_prepared(builder.data_dir_root)} Prepare it with tfds.load("
            f"{name!r}, data_dir=...) where there is a network"
        )
    return builder


def _download(builder):
    try:
        builder.download_and_prepare()
    except Exception as error:  # any of many network and parsing errors
        first_line = str(error).strip().split("\n")[0]
        raise ValueError(
            f"{builder.name} could not be downloaded and prepared: "
            f"{type(error).__name__}: {first_line}"
        ) from error


def _prepared(data_dir):
    if data_dir is None:
        return ""
    data_dir = pathlib.Path(data_dir)
    infos = [*data_dir.glob("*/*/dataset_info.json")]
    infos += data_dir.glob("*/*/*/dataset_info.json")
    found = {str(info.parent.parent.relative_to(data_dir)) for info in infos}
    return f"Prepared there: {', '.join(sorted(found)) or 'none'}."


def _count(builder, split):
    try:
        count = builder.info.splits[split].num_examples
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{builder.name} has no split {split!r}; it has "
            f"{', '.join(builder.info.splits)}, and parts of them such as "
            "train[:10%]"
        ) from error
    if not count:
        raise ValueError(f"{builder.name} has no images in {split!r}")
    return count


def _feature_keys(builder):
    """Keys of the image and of the label, None where there is no label."""
    import tensorflow_datasets as tfds

    features = dict(builder.info.features.items())
    images = [k for k, f in features.items() if type(f) is tfds.features.Image]
    image = "image" if "image" in images else next(iter(images), None)
    if image is None or (image != "image" and len(images) > 1):
        raise ValueError(
            f"{builder.name} must have one image, or one named 'image'. "
            f"Received the features {', '.join(features)}"
        )
    labels = [
        key
        for key, feature in features.items()
        if isinstance(feature, tfds.features.ClassLabel)
        or (
            key == "label"
            and feature.shape == ()
            and np.issubdtype(feature.np_dtype, np.integer)
        )
    ]
    label = "label" if "label" in labels else next(iter(labels), None)
    return image, label


def _shape(name, feature, image_size, channels):
    height, width, stored = feature.shape
    channels = channels or (1 if stored == 1 else 3)
    if feature.np_dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{name} must have images of 8 or 16 bits. Received: "
            f"{np.dtype(feature.np_dtype).name}"
        )
    if image_size is not None:
        return image_size, image_size, channels
    if height is None or width is None:
        raise ValueError(
            f"the images of {name} differ in size, so `image_size`, the "
            "pixels of a side that all are brought to, is needed. "
            "Received: image_size=None"
        )
    return height, width, channels


def _read_plain(builder, split, image_key, label_key, array):
    """Copies images that already are as wanted; TensorFlow decodes them."""
    labels = np.full(len(array), -1, np.int32)
    start = 0
    for batch in _examples(builder, split, image_key, label_key, None):
        rows = slice(start, start + len(batch[image_key]))
        array[rows] = batch[image_key]
        if label_key:
            labels[rows] = batch[label_key]
        start = rows.stop
    return labels[:start], []


def _read_encoded(
    builder, split, image_key, label_key, array, image_size, max_pixels
):
    """Decodes images that differ in size, depth or channels from the set."""
    import tensorflow_datasets as tfds

    skip = {image_key: tfds.decode.SkipDecoding()}

    def items():
        number = 0
        for batch in _examples(builder, split, image_key, label_key, skip):
            labels = batch[label_key] if label_key else [-1] * BATCH
            for data, label in zip(batch[image_key], labels, strict=False):
                yield f"{split} example {number}", data, int(label)
                number += 1

    def prepare(data):
        if image_size is not None:
            return decode_square(data, image_size, array.shape[-1], max_pixels)
        image = decode_image(data, array.shape[-1], max_pixels=max_pixels)
        if image.shape != array.shape[1:]:
            raise ImageError(f"shape {image.shape}, not {array.shape[1:]}")
        return image

    return decode_into(array, items(), prepare, description=builder.name)


def _examples(builder, split, image_key, label_key, decoders):
    """Batches of the two features as NumPy arrays, always in one order."""
    import tensorflow_datasets as tfds

    wanted = {key: True for key in (image_key, label_key) if key}
    try:
        examples = builder.as_dataset(
            split=split,
            decoders=tfds.decode.PartialDecoding(wanted, decoders=decoders),
            read_config=tfds.ReadConfig(try_autocache=False),
        )
    except NotImplementedError as error:
        raise ValueError(
            f"{builder.name} is prepared in a format that cannot be read "
            "here; prepare it again as tfrecord"
        ) from error
    batches = examples.batch(BATCH, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(2).as_numpy_iterator()
