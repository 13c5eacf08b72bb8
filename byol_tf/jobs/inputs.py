"""From configurations to what the jobs after pretraining start from."""

import pathlib

import keras

from byol_tf.modalities.image.view import View
from byol_tf.runs import encoder as encoders
from byol_tf.runs.config import config_of_run


def data_suffix(config) -> str:
    """Ending of the names of files about other data; "" for the run's own."""
    section = config.data
    other = section.name or pathlib.Path(section.dir or "").stem
    if not (section.source or other):
        return ""
    other = other or section.source
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in other)
    return f"_{safe}"


def bad_images_file(config) -> str:
    """Name of the list of images that cannot be read."""
    return f"bad_images{data_suffix(config)}.csv"


def run_with_data(config, workdir, defaults, *, labels: str):
    """The configuration of a run, with other data where they are given.

    Args:
        config: with a section `data`, None where the run's own holds.
        workdir: the run folder.
        defaults: a configuration of a run with every field.
        labels: what `data.labels` becomes.
    """
    run = config_of_run(None, workdir, defaults)
    with run.unlocked():
        run.data.update(_given(config.data))
        run.data.labels = labels
    return run


def image_size(encoder: keras.Model, images, config, run) -> int:
    """Pixels of a side that images are brought to, see `input_size`.

    Args:
        encoder: of the run.
        images: set of images.
        config: with the field `size`.
        run: configuration of the run.
    """
    return encoders.input_size(
        encoder,
        images.row_shape,
        name=images.name,
        size=config.size,
        usual=run.augment.size,
    )


def about_encoder(encoder: keras.Model, workdir, size: int) -> dict:
    """Which encoder it was, as JSON values."""
    return {
        "sha256": encoders.file_digest(workdir),
        "weights_sha256": encoders.weights_digest(encoder),
        "features": encoder.output_shape[-1],
        "image_size": size,
    }


def crop_options(section, augment) -> dict:
    """Crop and flip: as configured, else as in the run's own views."""
    return {field: augment[field] for field in section} | _given(section)


def crop_view(size: int, options) -> View:
    """A view that only crops and flips."""
    return View(size, **options, jitter=0.0, grayscale=0.0, blur=0.0)


def _given(section):
    return {key: value for key, value in section.items() if value is not None}
