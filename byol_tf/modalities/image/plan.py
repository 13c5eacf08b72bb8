"""What a recipe leaves open for images, decided from them and the machine."""

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.rows import bare

AUTO = "auto"  # of `encoder.name`
LOOKED_AT = 256  # images that sizes, means and deviations are taken from
# By whether there is an accelerator: pixels of a view, images of a batch.
VIEWS = {False: 64, True: 224}
BATCHES = {False: 128, True: 256}
ENCODERS = {
    False: {"name": "slim", "widths": (32, 64, 128, 256), "stem": "strided"},
    True: {"name": "resnet50", "stem": "imagenet"},
}


def plan(
    section, examples: Examples, accelerator: bool
) -> tuple[dict, list[str]]:
    """Decides sizes, batch, encoder and normalisation that are left open.

    Args:
        section: configuration of a run. Open are `augment.size=0` where images
            have several sizes, `batch_size=0`, `encoder.name=auto`.
        examples: the training images.
        accelerator: whether there is a GPU or TPU.

    Returns:
        Values by field, and a line for each decision that says why.
    """
    fields, lines = {}, []
    machine = "an accelerator" if accelerator else "a CPU"
    rows = _some(examples)
    side = int(np.median([min(row.shape[:2]) for row in rows]))
    open_size = not section.augment.size and not examples.dense
    if open_size:
        size = min(VIEWS[accelerator], side)
        fields["augment.size"] = size
        lines.append(
            f"Views: {size} pixels, for {machine}; half of the images have "
            f"{side} pixels or more on their shorter side."
        )
    if not section.batch_size:
        fields["batch_size"] = _batch(examples.num_examples, accelerator)
        lines.append(
            f"Batch: {fields['batch_size']} of {examples.num_examples} images, "
            f"for {machine}."
        )
    if section.encoder.name == AUTO:
        chosen = ENCODERS[accelerator]
        if section.encoder.widths:
            chosen = {**chosen, "widths": section.encoder.widths}
        fields |= {f"encoder.{key}": value for key, value in chosen.items()}
        lines.append(f"Encoder: {chosen['name']}, for {machine}.")
        if not section.encoder.weights and not section.encoder.mean:
            mean, std = _statistics(rows)
            fields |= {"encoder.mean": mean, "encoder.std": std}
            lines.append(
                f"Normalisation: mean {_numbers(mean)}, deviation "
                f"{_numbers(std)} of {len(rows)} of these images."
            )
    return fields, lines


def _some(examples):
    """Rows at equal distances, as floats in [0, 1]."""
    count = min(LOOKED_AT, examples.num_examples)
    index = np.linspace(0, examples.num_examples - 1, count).astype(int)
    index = examples.readable_rows(np.unique(index))
    if not len(index):
        raise ValueError(
            f"none of {count} images of {examples.name} can be read; look into "
            "bad_images.csv"
        )
    return [_unit(np.asarray(bare(examples.read(row)))) for row in index]


def _unit(image):
    if np.issubdtype(image.dtype, np.integer):
        return image / np.float32(np.iinfo(image.dtype).max)
    return image


def _statistics(rows):
    """Mean and deviation of all pixels, by channel."""
    pixels = [row.reshape(-1, row.shape[-1]).astype(np.float64) for row in rows]
    count = sum(map(len, pixels))
    mean = sum(one.sum(0) for one in pixels) / count
    variance = sum(np.square(one).sum(0) for one in pixels) / count - mean**2
    std = np.sqrt(np.maximum(variance, 1e-4))
    return tuple(mean.round(3).tolist()), tuple(std.round(3).tolist())


def _batch(count, accelerator):
    """A power of two, of at most a quarter of the images."""
    most = BATCHES[accelerator]
    return max(2, min(most, 2 ** int(np.log2(max(count // 4, 2)))))


def _numbers(values):
    return ", ".join(f"{value:.3f}" for value in values)
