"""From configurations to evaluations of a run, as `builders` makes runs."""

import json
import pathlib

import keras
import numpy as np

from byol_tf.jobs.evaluate.run import LinearEvaluation, Subject
from byol_tf.jobs.evaluate.settings import Settings, SGDSettings
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.modalities.image.view import View
from byol_tf.modalities.image.views import CentreView
from byol_tf.runs import encoder as encoders
from byol_tf.runs.config import config_of_run
from byol_tf.runtime import should_compile


def linear_evaluation(config, workdir, defaults) -> LinearEvaluation:
    """The linear evaluation of a run folder's encoder.

    Args:
        config: of the evaluation, see `configs/eval_linear.py`.
        workdir: the run folder.
        defaults: a configuration of a run with every field.

    Raises:
        ValueError: in one line, if there is no encoder, or if it, the data
            and the configuration do not fit together.
    """
    encoder = encoders.load_encoder(workdir)
    settings = _linear_settings(config)
    run = run_with_data(config, workdir, defaults, labels="required")
    train, load_test = data_builders.train_and_later_test(
        run, workdir, bad_images_file=bad_images_file(config)
    )
    size = image_size(encoder, train, config, run)
    crops = crop_options(config.view, run.augment)
    return LinearEvaluation(
        subjects=_subjects(config, encoder, workdir, size, train, crops),
        train=_labelled(train, config.max_train, config.seed),
        load_test=load_test,
        settings=settings,
        about={
            "encoder": about_encoder(encoder, workdir, size),
            "view": crops,
            "crop_fraction": config.crop_fraction,
        },
    )


def linear_evaluation_name(config) -> str:
    """What its files are called: another data set has files of its own."""
    section = config.data
    other = section.name or pathlib.Path(section.dir or "").stem
    if not (section.source or other):
        return "eval_linear"
    other = other or section.source
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in other)
    return f"eval_linear_{safe}"


def bad_images_file(config) -> str:
    """The list of images that cannot be read, likewise."""
    suffix = linear_evaluation_name(config).removeprefix("eval_linear")
    return f"bad_images{suffix}.csv"


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


def _linear_settings(config):
    return Settings(
        sgd=SGDSettings(**config.sgd),
        penalties=config.logistic.penalties,
        neighbours=config.knn.neighbours,
        temperature=config.knn.temperature,
        resamples=config.bootstrap.resamples,
        level=config.bootstrap.level,
        holdout=config.holdout,
        encode_batch=config.encode_batch,
        seed=config.seed,
        jit_compile=should_compile("auto"),
    )


def _subjects(config, encoder, workdir, size, train, crops):
    """Raw pixels, a random encoder and the pretrained one."""
    pixels = min(size, encoders.MOST_PIXELS)
    view = crop_view(size, crops)
    centre = CentreView(size, config.crop_fraction)
    subjects = [
        Subject(
            "raw pixels",
            encoders.pixel_encoder(pixels, train.row_shape[-1]),
            CentreView(pixels, config.crop_fraction),
        )
    ]
    fresh = encoders.fresh_encoder(encoder, config.seed)
    for name, model in (("random encoder", fresh), ("pretrained", encoder)):
        trained = model is encoder or config.sgd.random_encoder
        subjects.append(
            Subject(
                name,
                model,
                centre,
                view if trained else None,
                _identity(model, workdir, centre),
            )
        )
    return subjects


def _identity(model: keras.Model, workdir, prepare):
    preparation = prepare.get_config()
    preparation.pop("name")
    return {
        "file": encoders.file_digest(workdir),
        "weights": encoders.weights_digest(model),
        "preparation": json.loads(json.dumps(preparation)),
    }


def _given(section):
    return {key: value for key, value in section.items() if value is not None}


def _labelled(images, limit, seed):
    """The images with a label, at most so many of them, 0 for all."""
    chosen = np.flatnonzero(images.labels >= 0)
    if 0 < limit < len(chosen):
        rng = np.random.default_rng((seed, 2))
        chosen = np.sort(rng.permutation(chosen)[:limit])
    if len(chosen) == images.num_examples:
        return images
    return images.subset(chosen)
