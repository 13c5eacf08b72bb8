"""From configurations to evaluations of a run, as `builders` makes runs."""

import json

import keras
import numpy as np

from byol_tf.jobs import inputs
from byol_tf.jobs.evaluate.run import LinearEvaluation, Subject
from byol_tf.jobs.evaluate.settings import Settings, SGDSettings
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.modalities.image.views import CentreView
from byol_tf.runs import encoder as encoders
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
    run = inputs.run_with_data(config, workdir, defaults, labels="required")
    train, load_test = data_builders.train_and_later_test(
        run, workdir, bad_images_file=inputs.bad_images_file(config)
    )
    size = inputs.image_size(encoder, train, config, run)
    crops = inputs.crop_options(config.view, run.augment)
    return LinearEvaluation(
        subjects=_subjects(config, encoder, workdir, size, train, crops),
        train=_labelled(train, config.max_train, config.seed),
        load_test=load_test,
        settings=settings,
        about={
            "encoder": inputs.about_encoder(encoder, workdir, size),
            "view": crops,
            "crop_fraction": config.crop_fraction,
        },
    )


def linear_evaluation_name(config) -> str:
    """Name of its files; another data set has files of its own."""
    return f"eval_linear{inputs.data_suffix(config)}"


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
    view = inputs.crop_view(size, crops)
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


def _labelled(images, limit, seed):
    """The images with a label, at most so many of them, 0 for all."""
    chosen = np.flatnonzero(images.labels >= 0)
    if 0 < limit < len(chosen):
        rng = np.random.default_rng((seed, 2))
        chosen = np.sort(rng.permutation(chosen)[:limit])
    if len(chosen) == images.num_examples:
        return images
    return images.subset(chosen)
