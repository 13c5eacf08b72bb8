"""Loads the data of a run from `config.data`."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np

from byol_tf.checks import (
    check_choice,
    check_number,
    check_positive,
    in_section,
)
from byol_tf.data import sources
from byol_tf.data.bad_images import BadImages
from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples
from byol_tf.data.pack import STORES, estimated_bytes, packed
from byol_tf.data.split import split_holdout
from byol_tf.data.store import Store
from byol_tf.files import write_json
from byol_tf.lines import plural
from byol_tf.locks import CACHE
from byol_tf.modalities.registry import load_modality

HOLDOUT = 0.1  # share of the training examples, without a test split
MOST_HELD_OUT = 10_000  # each is decoded before the first step
MOST_MEGAPIXELS = 178  # Pillow's limit


def check(config) -> None:
    """Raises a ValueError that names the field of an impossible value."""
    section = config.data
    with in_section("data"):
        sources.check_source(section.source, section.labels, section.layout)
        sources.check_split("train_split", section.train_split)
        check_number("cache_gb", section.cache_gb, 0)
        Store(section.cache)
        check_choice("store", section.store, STORES)
        check_number("store_side", section.store_side, 0)
        most = MOST_MEGAPIXELS  # Pillow's limit
        check_positive("max_megapixels", section.max_megapixels, most)
        load_modality(config.modality).decoder(config)
        BadImages(max_bad_share=section.max_bad_share)


def data(config, workdir, suffix: str | None = "") -> tuple[Examples, Examples]:
    """Loads training and test images; holds out some without a test split.

    Without one, a tenth is held out, at most about 10,000 examples.
    Arguments are as in `train_and_later_test`.
    """
    train, load_test = train_and_later_test(
        config, workdir, suffix=suffix, whole=False
    )
    test = load_test()
    if test.num_examples < 2:
        raise ValueError(
            f"{test.name} must have at least 2 examples to test on, but its "
            f"test part has {test.num_examples}; add some"
        )
    return train, test


def train_and_later_test(
    config,
    workdir,
    same_classes: bool = True,
    suffix: str | None = "",
    whole: bool = True,
    decoder: Decoder | None = None,
) -> tuple[Examples, Callable[[], Examples]]:
    """Loads training images; returns them, and a function for test images.

    Args:
        config: configuration of a run.
        workdir: the run folder.
        same_classes: whether other classes among the test images are an error;
            if not, compare labels by name.
        suffix: of two files in the run folder: `bad_images.csv` lists
            unreadable rows, with the modality's word for them; `data.json`
            says how a folder was read. None: no files.
        whole: whether to leave out unreadable training files here; if not,
            others replace them in the batches.
        decoder: decoder of the rows; None: that of the modality.
    """
    section, workdir = config.data, pathlib.Path(workdir)
    decoder = decoder or load_modality(config.modality).decoder(config)
    cache_dir = section.cache_dir or str(workdir / CACHE)
    path = None
    if suffix is not None:
        path = workdir / f"bad_{plural(decoder.name)}{suffix}.csv"
    bad_images = BadImages(path, section.max_bad_share)
    readings = {}

    def load(split):
        with _naming_section():
            examples = sources.load(
                section.source,
                name=section.name,
                split=split,
                directory=os.path.expanduser(section.dir or ""),
                decoder=decoder,
                labels=section.labels,
                layout=section.layout,
                label_column=section.label_column,
                features=section.features,
                cache=section.cache,
                cache_bytes=int(section.cache_gb * 2**30),
                cache_dir=cache_dir,
                bad_images=bad_images,
            )
        if examples.taken and path:
            readings[split] = examples.taken
            write_json(workdir / f"data{suffix}.json", readings)
        return examples

    def load_test():
        test = load(section.test_split).readable()
        if same_classes and train.labelled and test.labelled:
            _check_classes(train, test)
        return test

    if section.source == "folder" and section.test_split:
        # Fail before all training images are decoded.
        with _naming_section():
            sources.check_folder(
                os.path.expanduser(section.dir or ""),
                *(section.test_split, decoder, section.labels),
                *(section.layout, section.label_column),
            )
    train = load(section.train_split)
    if not section.test_split:
        if section.labels == "auto":
            train = _without_single_labels(train)
        # Before unreadable rows are left out, so that every job holds out the
        # same ones.
        share = min(HOLDOUT, MOST_HELD_OUT / train.num_examples)
        train, test = split_holdout(train, share, config.seed)
        if decoder.cut and {*train.paths} & {*test.paths}:
            print(
                "Test: windows of recordings that are trained on, too, so its "
                "accuracies are too high; put whole recordings aside, into "
                "folders train and test."
            )
        load_test = test.readable
    return (train.readable() if whole else train), load_test


def _without_single_labels(examples):
    """Drops labels if each one belongs to a single example."""
    _, counts = np.unique(
        examples.labels[examples.labels >= 0], return_counts=True
    )
    if not len(counts) or counts.max() > 1:
        return examples
    print("Labels: ignored, since no class has two examples to compare.")
    return dataclasses.replace(
        examples, labels=np.full_like(examples.labels, -1), class_names=()
    )


def store_examples(
    config, workdir, examples: tuple[Examples, Examples], views
) -> tuple[tuple[Examples, Examples], list[str]]:
    """Stores training and test rows as `data.store` says.

    Args:
        config: configuration of the run.
        workdir: its folder.
        examples: training and test examples; rows of one shape are not changed.
        views: the modality's views, which are cut from them.

    Returns:
        Both, and a line about the choice, if one was made.

    Raises:
        ValueError: if too many rows are unreadable, or the modality stores
            none.
    """
    section, train = config.data, examples[0]
    if section.store == "files" or not train.encoded:
        return examples, []
    make_codec = getattr(load_modality(config.modality), "codec", None)
    if make_codec is None:
        if section.store == "auto":
            return examples, []
        raise ValueError(
            f"data.store={section.store} is not for {config.modality}; take "
            "data.store=files"
        )
    name = "pixels" if section.store == "auto" else section.store
    side = section.store_side
    codecs = [make_codec(name, each, views, side) for each in examples]
    pairs = list(zip(examples, codecs, strict=True))
    size = sum(estimated_bytes(*pair) for pair in pairs) / 2**30
    fits = size <= section.cache_gb
    if section.store == "auto" and not fits:
        return examples, [
            f"Store: files, since decoded they would take {size:.3g} GB, more "
            f"than data.cache_gb={section.cache_gb:g}; on a slow disk, take "
            "data.store=shards."
        ]
    on_disk = name == "shards" or not _in_memory(section, fits)
    store = Store(cache_dir=section.cache_dir or pathlib.Path(workdir) / CACHE)
    stored = tuple(packed(*pair, store, on_disk) for pair in pairs)
    return stored, [
        f"Store: {name} {'on disk' if on_disk else 'in memory'}, about "
        f"{size:.2g} GB, {codecs[0].about} (data.store={section.store}, "
        f"data.store_side={side})."
    ]


def _in_memory(section, fits):
    return {"memory": True, "disk": False}.get(section.cache, fits)


@contextlib.contextmanager
def _naming_section():
    try:
        yield
    except (OSError, ValueError) as error:
        raise ValueError(f"config.data: {error}") from error


def _check_classes(train, test):
    if train.class_names != test.class_names:
        differing = set(train.class_names) ^ set(test.class_names)
        raise ValueError(
            f"{train.name} and {test.name} must have the same classes; only "
            f"one of them has {', '.join(sorted(differing)) or 'this order'}"
        )
    if test.num_classes > train.num_classes:  # of arrays without names
        raise ValueError(
            f"the test labels of {test.name} go up to {test.num_classes - 1}, "
            f"those of training only up to {train.num_classes - 1}; move some "
            "examples of the others to training, or label them -1"
        )
