"""Builds the linear evaluation of a run from a configuration."""

import dataclasses

import numpy as np

from byol_tf.jobs import inputs
from byol_tf.jobs.evaluate.run import Contestant, LinearEvaluation
from byol_tf.jobs.evaluate.settings import Settings, SGDSettings
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.runs.encoder import load_encoder
from byol_tf.runtime import should_compile


def linear_evaluation(config, workdir, defaults) -> LinearEvaluation:
    """Builds the linear evaluation of a run folder's encoder.

    Args:
        config: configuration of the evaluation, see `configs/eval_linear.py`.
        workdir: the run folder.
        defaults: a run's configuration with every field.

    Raises:
        ValueError: if there is no encoder, or if encoder, data and
            configuration do not match. One line.
    """
    encoder = load_encoder(
        workdir,
        size=config.size,
        crop_fraction=config.crop_fraction,
        modality=config.modality,
    )
    linear = getattr(encoder.modality, "linear", "")
    settings = _linear_settings(config, unit=linear == "logistic")
    run = inputs.run_with_data(config, workdir, defaults, labels="required")
    train, load_test = data_builders.train_and_later_test(
        run, workdir, suffix=inputs.data_suffix(config)
    )
    encoder.check_rows(train.row_shape, train.name)
    labelled = _labelled(train, config.max_train, config.seed)
    count = labelled.num_examples
    if settings.sgd.epochs and settings.sgd.batch_size > count:
        print(f"sgd.batch_size: {count}, all labelled training examples.")
    crops = inputs.crop_options(config.view, encoder)
    return LinearEvaluation(
        contestants=_contestants(config, workdir, encoder, train, crops),
        train=labelled,
        load_test=load_test,
        settings=settings,
        about={
            "encoder": inputs.about_encoder(encoder),
            "view": crops,
            "crop_fraction": config.crop_fraction,
        },
    )


def linear_evaluation_name(config) -> str:
    """Returns the prefix of its files; other datasets have other files."""
    return f"eval_linear{inputs.data_suffix(config)}"


def _linear_settings(config, unit):
    return Settings(
        unit=unit,
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


def _contestants(config, workdir, encoder, train, crops):
    """Returns raw inputs, random, original and pretrained weights."""
    view = inputs.train_view(encoder, crops)
    fresh = encoder.fresh(config.seed)
    original = inputs.start_of(workdir, encoder)
    return [
        _raw(encoder, train.row_shape),
        Contestant(
            "random encoder", fresh, view if config.sgd.random_encoder else None
        ),
        *([Contestant(*original, view)] if original else []),
        Contestant("pretrained", encoder, view),
    ]


def _raw(encoder, row_shape) -> Contestant:
    """Returns the baseline of prepared rows as vectors."""
    last = dict(zip(["channels"], row_shape[-1:], strict=False))
    sizes = {**encoder.sizes, **last}
    name, model, prepare = encoder.modality.raw(encoder.preprocessor, sizes)
    raw_encoder = dataclasses.replace(
        encoder, model=model, preprocessor=prepare, about={}
    )
    return Contestant(name, raw_encoder)


def _labelled(images, limit, seed):
    """Selects the labelled examples, at most `limit`; 0: all."""
    positions = np.flatnonzero(images.labels >= 0)
    if 0 < limit < len(positions):
        rng = np.random.default_rng((seed, 2))
        positions = np.sort(rng.permutation(positions)[:limit])
    if len(positions) == images.num_examples:
        return images
    return images.subset(positions)
