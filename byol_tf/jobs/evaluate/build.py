"""From configurations to evaluations of a run, as `builders` makes runs."""

import dataclasses

import keras
import numpy as np

from byol_tf.jobs import inputs
from byol_tf.jobs.evaluate.run import LinearEvaluation, Subject
from byol_tf.jobs.evaluate.settings import Settings, SGDSettings
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.modalities.image.views import CentreView
from byol_tf.runs.encoder import Encoder, load_encoder
from byol_tf.runtime import should_compile

MOST_PIXELS = 32  # of a side of images that are vectors as they are


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
    encoder = load_encoder(
        workdir, size=config.size, crop_fraction=config.crop_fraction
    )
    settings = _linear_settings(config)
    run = inputs.run_with_data(config, workdir, defaults, labels="required")
    train, load_test = data_builders.train_and_later_test(
        run, workdir, bad_images_file=inputs.bad_images_file(config)
    )
    encoder.check_rows(train.row_shape, train.name)
    crops = inputs.crop_options(config.view, encoder)
    return LinearEvaluation(
        subjects=_subjects(config, encoder, train, crops),
        train=_labelled(train, config.max_train, config.seed),
        load_test=load_test,
        settings=settings,
        about={
            "encoder": inputs.about_encoder(encoder),
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


def _subjects(config, encoder, train, crops):
    """Raw pixels, a random encoder and the pretrained one."""
    view = inputs.crop_view(encoder.sizes["view_size"], crops)
    fresh = encoder.fresh(config.seed)
    return [
        Subject("raw pixels", _pixels(encoder, train.row_shape[-1])),
        Subject(
            "random encoder", fresh, view if config.sgd.random_encoder else None
        ),
        Subject("pretrained", encoder, view),
    ]


def _pixels(encoder, channels) -> Encoder:
    """Images to their pixels as vectors, prepared as for another encoder."""
    size = min(encoder.sizes["view_size"], MOST_PIXELS)
    images = keras.Input((size, size, channels))
    flat = keras.layers.Flatten()(images)
    config = encoder.preprocessor.get_config()
    return dataclasses.replace(
        encoder,
        model=keras.Model(images, flat, name="pixels"),
        preprocessor=CentreView.from_config({**config, "size": size}),
        about={},
    )


def _labelled(images, limit, seed):
    """The images with a label, at most so many of them, 0 for all."""
    chosen = np.flatnonzero(images.labels >= 0)
    if 0 < limit < len(chosen):
        rng = np.random.default_rng((seed, 2))
        chosen = np.sort(rng.permutation(chosen)[:limit])
    if len(chosen) == images.num_examples:
        return images
    return images.subset(chosen)
