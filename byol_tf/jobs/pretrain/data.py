"""From `config.data` to the images of a run."""

import pathlib
from collections.abc import Callable

from byol_tf.data import sources
from byol_tf.data.bad_images import BadImages
from byol_tf.data.examples import Examples
from byol_tf.data.split import split_holdout
from byol_tf.data.store import CACHES
from byol_tf.modalities.image.reading import load_images

HOLDOUT = 0.1  # of the training images where there is no test split
MOST_MEGAPIXELS = 178  # that Pillow opens


def rules(config) -> tuple[tuple[str, bool, str], ...]:
    """Fields with whether their value is possible, and what would be."""
    section = config.data
    return (
        (
            "data.source",
            section.source in sources.SOURCES,
            f"one of {', '.join(sources.SOURCES)}",
        ),
        (
            "data.labels",
            section.labels in sources.LABELS,
            f"one of {', '.join(sources.LABELS)}",
        ),
        (
            "data.cache",
            section.cache in CACHES,
            f"one of {', '.join(CACHES)}",
        ),
        ("data.train_split", bool(section.train_split), "named"),
        ("data.image_size", section.image_size >= 0, "0 or more"),
        ("data.channels", section.channels in (0, 1, 3), "0, 1 or 3"),
        ("data.cache_gb", section.cache_gb >= 0, "0 or more"),
        (
            "data.max_megapixels",
            0 < section.max_megapixels <= MOST_MEGAPIXELS,
            f"above 0 and at most {MOST_MEGAPIXELS}, where Pillow ends",
        ),
        (
            "data.max_bad_share",
            0 <= section.max_bad_share <= 1,
            "in [0, 1]",
        ),
    )


def data(
    config, workdir, bad_images_file: str | None = "bad_images.csv"
) -> tuple[Examples, Examples]:
    """Training and test images; a tenth is held out if there is no test.

    Arguments as in `train_and_later_test`.
    """
    train, load_test = train_and_later_test(
        config, workdir, bad_images_file=bad_images_file
    )
    test = load_test()
    if test.num_examples < 2:
        raise ValueError(
            f"{test.name} must have at least 2 images to judge by. "
            f"Received: {test.num_examples}"
        )
    return train, test


def train_and_later_test(
    config,
    workdir,
    same_classes: bool = True,
    bad_images_file: str | None = "bad_images.csv",
) -> tuple[Examples, Callable[[], Examples]]:
    """Training images, and a function that loads the test images.

    Args:
        config: of a run.
        workdir: the run folder.
        same_classes: whether other classes among the test images are an
            error; without it the labels must be compared by name.
        bad_images_file: in the run folder, for those that cannot be read;
            None for no file.
    """
    section, workdir = config.data, pathlib.Path(workdir)
    cache_dir = section.cache_dir or str(workdir / "cache")
    bad_images = BadImages(
        workdir / bad_images_file if bad_images_file else None,
        section.max_bad_share,
    )

    def load(split):
        try:
            return load_images(
                section.source,
                name=section.name,
                split=split,
                directory=section.dir,
                image_size=section.image_size or None,
                channels=section.channels or None,
                labels=section.labels,
                cache=section.cache,
                cache_bytes=int(section.cache_gb * 2**30),
                cache_dir=cache_dir,
                max_pixels=max_pixels(config),
                bad_images=bad_images,
            )
        except (OSError, ValueError) as error:
            raise ValueError(f"config.data: {error}") from error

    def load_test():
        test = load(section.test_split)
        if same_classes and train.labelled and test.labelled:
            _check_classes(train, test)
        return test

    train = load(section.train_split)
    if section.test_split:
        return train, load_test
    train, test = split_holdout(train, HOLDOUT, config.seed)
    return train, lambda: test


def max_pixels(config) -> int:
    """Pixels of an image file above which it is not decoded."""
    return int(config.data.max_megapixels * 10**6)


def _check_classes(train, test):
    if train.class_names != test.class_names:
        differing = set(train.class_names) ^ set(test.class_names)
        raise ValueError(
            f"{train.name} and {test.name} must have the same classes; only "
            f"one of them has {', '.join(sorted(differing)) or 'this order'}"
        )
