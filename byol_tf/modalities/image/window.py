"""Finds the black and white values of images deeper than 8 bits."""

import numpy as np
from absl import logging

from byol_tf.data.examples import Examples, Unreadable
from byol_tf.data.rows import spread_rows
from byol_tf.modalities.image.layer import Window, check_window

SAMPLE = 64  # images of a dataset that are examined
LITTLE = 1 / 16  # of the range; datasets that use less get a warning
CHOICES = ("auto", "full")


def parse_window(setting) -> str | Window:
    """Parses the setting `data.window`: "auto", "full" or a pair of numbers.

    Args:
        setting: may also be "low,high", as on a command line.

    Raises:
        ValueError: if it is none of them.
    """
    if setting in CHOICES:
        return setting
    try:
        parts = setting.split(",") if isinstance(setting, str) else setting
        low, high = (float(str(part).strip(" ()[]")) for part in parts)
        return check_window((low, high))
    except (TypeError, ValueError):
        raise ValueError(
            "`window` must be auto, full or LOW,HIGH with LOW < HIGH. "
            f"Received: {setting!r}"
        ) from None


def fit_window(examples: Examples, setting) -> Window | None:
    """Finds the window of a training set, and logs it in one line.

    "auto" takes, for uint16, 0 to the smallest 2 ** bits - 1 that no value of
    some 64 images exceeds: 4095 for images of 12 bits.

    Args:
        examples: the training set.
        setting: see `parse_window`.

    Returns:
        Black and white values; None for the whole range, and for uint8.
    """
    dtype = next(iter(examples.spec.values())).dtype.as_numpy_dtype
    choice = parse_window(setting)
    if dtype == np.uint8:
        return None
    if choice not in CHOICES:
        return choice
    low, high = _range(examples)
    full = 65535.0 if dtype == np.uint16 else 1.0
    if choice == "auto" and dtype == np.uint16:
        # 8 bits at least: a set with lower values is dark, not deep.
        white = float(2 ** max(int(high).bit_length(), 8) - 1)
        if white < full:
            logging.warning(
                "The 16-bit images of %s hold %d to %d: 0 is black and %d "
                "white (data.window=auto; or full, or LOW,HIGH).",
                *(examples.name, low, high, white),
            )
            return 0.0, white
    elif high - low < LITTLE * full:
        logging.warning(
            "The images of %s use less than a sixteenth of their range: %g to "
            "%g of 0 to %g. Choose black and white by data.window=%g,%g.",
            *(examples.name, low, high, full, low, high),
        )
    return None


def _range(examples):
    """Returns the lowest and highest value of some images of a dataset."""
    low, high = np.inf, -np.inf
    for row in spread_rows(examples.num_examples, SAMPLE):
        try:
            (pixels,) = examples.read(row).values()
        except Unreadable:  # reported when a batch needs it
            continue
        low, high = min(low, pixels.min()), max(high, pixels.max())
    return (low, high) if low <= high else (0, 0)
