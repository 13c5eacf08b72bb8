"""The progress bar of whatever takes long: rate and time left."""

from collections.abc import Iterable

from tqdm import tqdm


def progress_bar(
    title: str, iterable: Iterable | None = None, **options
) -> tqdm:
    """A bar on the terminal; without `iterable`, `update` moves it."""
    return tqdm(
        iterable,
        desc=title,
        dynamic_ncols=True,
        mininterval=0.5,
        unit_scale=True,
        **options,
    )
