"""Chooses settings of images that a recipe leaves open, by data and machine."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples, Unreadable
from byol_tf.data.rows import bare, spread_rows
from byol_tf.modalities.batch import batch_for
from byol_tf.modalities.image.efficientnet_lite import NAME
from byol_tf.modalities.image.layer import unit_values
from byol_tf.modalities.image.window import fit_window

AUTO = "auto"  # value of `encoder.name`
LOOKED_AT = 256  # images for statistics of sizes and pixels
# By whether there is an accelerator: side of a view in pixels, batch size.
VIEWS = {False: 64, True: 224}
FEW = 10_000  # images; with fewer, short runs learn more
LARGER = 3  # input size of the finished encoder, in halves of the views'
BATCHES = {False: 64, True: 256}
WEIGHTS = (
    "; photos of everyday things are represented better from ImageNet weights: "
    "--config=photos_imagenet"
)
ENCODERS = {
    False: {"name": "slim", "widths": (32, 64, 128, 256), "stem": "strided"},
    True: {"name": "resnet50", "stem": "imagenet"},
}


def plan(
    section, examples: Examples, accelerator: bool
) -> tuple[dict, list[str]]:
    """Chooses sizes, batch size, encoder and normalisation that are left open.

    Args:
        section: configuration of a run. Open are `augment.size=0` for images of
            several sizes, `batch_size=0` and `encoder.name=auto`.
        examples: the training images.
        accelerator: whether there is a GPU or TPU.

    Returns:
        Values by field, and a line per choice that gives the reason.
    """
    fields, lines = {}, []
    machine = "an accelerator" if accelerator else "a CPU"
    open_size = not section.augment.size and not examples.dense
    encoder = section.encoder
    open_colours = encoder.name == AUTO and not (
        encoder.weights or encoder.mean
    )
    if open_size or open_colours:
        window = fit_window(examples, section.data.window)
        sides, mean, std = _statistics(examples, window)
    if open_size:
        side = int(np.median(sides))
        size = min(VIEWS[accelerator], side)
        fields["augment.size"] = size
        lines.append(
            f"Views: {size} pixels, for {machine}; half of the images have "
            f"{side} pixels or more on their shorter side."
        )
        larger = min(LARGER * size // 2, side)
        is_own = "/" not in encoder.name and encoder.weights in ("", "imagenet")
        if is_own and not encoder.input_size and larger > size:
            fields["encoder.input_size"] = larger
            lines.append(
                f"Encoder's input: {larger} pixels, more than the views, since "
                "crops show things larger than whole images do."
            )
    if not section.batch_size:
        fields["batch_size"] = batch_for(
            examples.num_examples, BATCHES[accelerator]
        )
        lines.append(
            f"Batch: {fields['batch_size']} of {examples.num_examples} images, "
            f"for {machine}."
        )
        if section.objective.name == "byol" and examples.num_examples < FEW:
            lines.append(
                f"Objective: byol. With fewer than {FEW:,} images and little "
                "time, simclr did better on photos of groceries; try it: "
                "--config.objective.name=simclr"
            )
    if encoder.name == AUTO:
        settings, reason = ENCODERS[accelerator], f"for {machine}"
        if encoder.widths:
            settings = {**settings, "widths": encoder.widths}
        if encoder.weights == "imagenet":
            settings, reason = {"name": NAME}, "which has ImageNet weights"
        elif examples.row_shape[-1] == 3 and not encoder.weights:
            reason += WEIGHTS
        fields |= {f"encoder.{key}": value for key, value in settings.items()}
        lines.append(f"Encoder: {settings['name']}, {reason}.")
    if open_colours:
        fields |= {"encoder.mean": mean, "encoder.std": std}
        lines.append(
            f"Normalisation: mean {_numbers(mean)}, deviation {_numbers(std)} "
            f"of {len(sides)} of these images."
        )
    return fields, lines


def _sample_rows(examples) -> Iterator[np.ndarray]:
    """Yields readable rows at equal distances, one in memory at a time."""
    for row in spread_rows(examples.num_examples, LOOKED_AT):
        try:
            yield np.asarray(bare(examples.read(row)))
        except Unreadable as error:
            examples.rows.list_unreadable(row, str(error))


def _statistics(examples, window):
    """Returns shorter sides of images, and mean and deviation by channel."""
    sides, count, sums, squares = [], 0, 0.0, 0.0
    for row in _sample_rows(examples):
        sides.append(min(row.shape[:2]))
        values = unit_values(tf.convert_to_tensor(row), window).numpy()
        count += row.shape[0] * row.shape[1]
        sums += values.sum((0, 1), dtype=np.float64)
        squares += np.square(values).sum((0, 1), dtype=np.float64)
    if not sides:
        count = min(LOOKED_AT, examples.num_examples)
        raise ValueError(
            f"none of {count} images of {examples.name} can be read; look into "
            "bad_images.csv"
        )
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-4))
    return sides, tuple(mean.round(3).tolist()), tuple(std.round(3).tolist())


def _numbers(values):
    return ", ".join(f"{value:.3f}" for value in values)
