"""Datasets of TensorFlow Datasets."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from byol_tf.data.arrays import as_classes
from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples
from byol_tf.data.records import Part, streamed
from byol_tf.data.store import Store, decode_into
from byol_tf.lines import first_line, plural

PATTERNS = "*?["  # signs that TensorFlow Datasets reads as patterns
BATCH = 1024  # examples read at a time
NOT_TFRECORD = (
    "{} is prepared in a format that cannot be read here; prepare it again as "
    "tfrecord"
)


def load_tfds(
    name: str,
    split: str,
    directory: str | os.PathLike,
    decoder: Decoder,
    store: Store,
    download: bool = False,
) -> Examples:
    """Loads one split of a dataset that is prepared on disk.

    Rows of a known shape are decoded here, once; others stay in their records.

    Args:
        name: name as for `tfds.load`, such as "imagenet2012_subset/10pct".
        split: split as for `tfds.load`, such as "train" or "train[:10%]".
        directory: the `data_dir`; "": the default of TensorFlow Datasets.
        decoder: decoder of rows, unless they already have the right form.
        store: where the rows are stored.
        download: whether to fetch and prepare a missing dataset.

    Raises:
        ValueError: if there is no such dataset, split or kind of rows.
    """
    builder = _builder(name, directory, download)
    count = _count(builder, split)
    keys = row_key, label_key = _feature_keys(builder, decoder)
    feature = builder.info.features[row_key]
    shape, dtype = tuple(feature.shape), np.dtype(feature.np_dtype)
    if decoder.of_stored is not None:
        decoder = decoder.of_stored(name, shape, dtype)
    if decoder.shape is None:
        parts = _parts(builder, split)
        names = _class_names(builder, label_key)
        keys = row_key, label_key or ""
        sound = _sound(name, feature) if decoder.feature == "Audio" else None
        return streamed(parts, keys, decoder, store, name, names, sound)
    is_decoded = (shape, dtype) == (decoder.shape, decoder.dtype)
    read = _read_plain if is_decoded else _read_encoded
    rows, labels, skipped = store.fill(
        count,
        decoder.shape,
        lambda array: read(builder, split, *keys, array, decoder),
        name=name.replace("/", "-").replace(":", "-"),
        key=(
            str(builder.data_path),
            *(builder.info.full_name, split, decoder.key),
        ),
        dtype=decoder.dtype,
    )
    names = _class_names(builder, label_key)
    return Examples(
        *(rows, labels, names, name, tuple(skipped)), spec=decoder.spec
    )


def _sound(name, feature):
    """Returns samples per second and channels of sounds."""
    if not feature.sample_rate:
        raise ValueError(
            f"{name} does not say how many samples a second its sounds have; "
            "write them as files, and give their folder"
        )
    return (feature.sample_rate, *(feature.shape[1:] or (1,)))


def _class_names(builder, label_key):
    feature = builder.info.features[label_key] if label_key else None
    return tuple(getattr(feature, "names", None) or ())


def _parts(builder, split):
    """Returns the files of a split, and which of their records are in it."""
    if builder.info.file_format.file_suffix != "tfrecord":
        raise ValueError(NOT_TFRECORD.format(builder.name))
    return [
        Part(str(one.filename), one.skip, one.take)
        for one in builder.info.splits[split].file_instructions
    ]


def _builder(name, directory, download):
    # Slow to import, and only this source needs it.
    import tensorflow_datasets as tfds

    data_dir = str(directory) if directory else None
    if data_dir and not download and not pathlib.Path(data_dir).is_dir():
        raise ValueError(f"there is no folder {data_dir!r} of prepared sets")
    if set(PATTERNS) & set(data_dir or ""):
        raise ValueError(
            f"TensorFlow Datasets takes {' '.join(PATTERNS)} in {data_dir!r} "
            "for a pattern; link to that folder by another name, and give that"
        )
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, ImportError) as error:
        raise ValueError(
            f"TensorFlow Datasets cannot use the name {name!r}: "
            f"{first_line(error)} {_sets_in(data_dir)}"
        ) from error
    if download and not builder.is_prepared():
        _download(builder)
    if not builder.is_prepared():
        raise ValueError(
            f"{name} is not prepared in {builder.data_dir_root}. "
            f"{_sets_in(builder.data_dir_root)} Prepare it with tfds.load("
            f"{name!r}, data_dir=...) where there is a network"
        )
    return builder


def _download(builder):
    try:
        builder.download_and_prepare()
    except Exception as error:  # any of many network and parsing errors
        raise ValueError(
            f"{builder.name} could not be downloaded and prepared: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error


def _sets_in(data_dir):
    if data_dir is None:
        return ""
    data_dir = pathlib.Path(data_dir)
    infos = [*data_dir.glob("*/*/dataset_info.json")]
    infos += data_dir.glob("*/*/*/dataset_info.json")
    names = {str(info.parent.parent.relative_to(data_dir)) for info in infos}
    return f"Prepared there: {', '.join(sorted(names)) or 'none'}."


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
        splits = builder.info.splits.items()
        sizes = ", ".join(f"{name}: {s.num_examples}" for name, s in splits)
        raise ValueError(
            f"{builder.name} has no examples in {split!r}; its splits have "
            f"{sizes}"
        )
    return count


def _feature_keys(builder, decoder):
    """Returns keys of the row and of the label, None without a label."""
    import tensorflow_datasets as tfds

    features = dict(builder.info.features.items())
    noun = decoder.name
    if not decoder.feature:
        raise ValueError(
            f"{plural(noun)} come from source 'folder' or 'arrays', not from "
            "'tfds'"
        )
    feature_type = getattr(tfds.features, decoder.feature)
    candidates = [
        key for key, one in features.items() if type(one) is feature_type
    ]
    row = noun if noun in candidates else next(iter(candidates), None)
    if row is None or (row != noun and len(candidates) > 1):
        raise ValueError(
            f"{builder.name} must have one {noun}, or one named {noun!r}. "
            f"Received the features {', '.join(features)}; if these are no "
            f"{plural(noun)}, pretrain with their --modality"
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
    return row, label


def _read_plain(builder, split, row_key, label_key, array, decoder):
    """Copies rows in the right form; TensorFlow decodes them."""
    labels = np.full(len(array), -1, np.int32)
    start = 0
    for batch in _examples(builder, split, row_key, label_key, None):
        rows = slice(start, start + len(batch[row_key]))
        array[rows] = batch[row_key]
        if label_key:
            labels[rows] = as_classes(batch[label_key], builder.name)
        start = rows.stop
    return labels[:start], []


def _read_encoded(builder, split, row_key, label_key, array, decoder):
    """Decodes rows of another shape or type."""
    import tensorflow_datasets as tfds

    skip = {row_key: tfds.decode.SkipDecoding()}

    def items():
        number = 0
        for batch in _examples(builder, split, row_key, label_key, skip):
            labels = [-1] * BATCH
            if label_key:
                labels = as_classes(batch[label_key], builder.name)
            for data, label in zip(batch[row_key], labels, strict=False):
                yield f"{split} example {number}", data, int(label)
                number += 1

    return decode_into(
        array,
        items(),
        decoder.decode,
        description=builder.name,
        unit=decoder.name,
    )


def _examples(builder, split, row_key, label_key, decoders):
    """Yields batches of the two features as NumPy arrays, in fixed order."""
    import tensorflow_datasets as tfds

    features = {key: True for key in (row_key, label_key) if key}
    try:
        examples = builder.as_dataset(
            split=split,
            decoders=tfds.decode.PartialDecoding(features, decoders=decoders),
            read_config=tfds.ReadConfig(try_autocache=False),
        )
    except NotImplementedError as error:
        raise ValueError(NOT_TFRECORD.format(builder.name)) from error
    batches = examples.batch(BATCH, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(2).as_numpy_iterator()
