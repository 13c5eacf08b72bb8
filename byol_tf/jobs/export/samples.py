"""Finds rows to verify and calibrate exports on."""

import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from byol_tf.export.quiet import quiet
from byol_tf.export.signatures import FORM
from byol_tf.export.verify import Labelled, Samples
from byol_tf.jobs import inputs
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.lines import plural, printable
from byol_tf.modalities.signature import DEFAULT, OK
from byol_tf.runs.encoder import Encoder
from byol_tf.runs.samples import FILE, load_samples, stored_samples


class VerificationData(NamedTuple):
    """Rows to compare on.

    Attributes:
        encoder: the encoder, with facts that earlier releases did not store.
        samples: see `verify.Comparison`.
        calibration: stored rows, for the ranges of int8.
        name: name of their source.
    """

    encoder: Encoder
    samples: Samples
    calibration: np.ndarray
    name: str


def find(config, workdir, encoder: Encoder, defaults) -> VerificationData:
    """Finds the rows that pretraining stored, or those of a dataset.

    Uses a dataset if `config.data` names one, and for run folders of earlier
    releases, which stored no rows: training images then vote in kNN, and test
    images are compared. Of stored rows, each half votes on the other one.

    Args:
        config: configuration of the export.
        workdir: the run folder.
        encoder: encoder of the run.
        defaults: a run's configuration with every field.

    Raises:
        ValueError: if rows do not fit the encoder, or there are none.
    """
    saved = load_samples(workdir)
    if any(v is not None for v in config.data.values()):
        return _of_data_set(config, workdir, encoder, defaults)
    if saved is None:
        try:
            return _of_data_set(config, workdir, encoder, defaults)
        except ValueError as error:
            raise ValueError(
                f"{workdir} has no {FILE} to compare the export on (runs of "
                "releases 0.1 and 0.2 and converted weights have none), and "
                f"its data cannot be read ({error}); give some by --data=DIR"
            ) from error
    verify, limit = config.verify, config.litert.calibration_images
    order = np.random.default_rng(verify.seed).permutation(len(saved.rows))
    samples = Samples(
        saved.rows[np.sort(order[: verify.batch])],
        folds=_folds(saved.rows, saved.labels, order),
    )
    name = f"{len(saved.rows)} training rows"
    return VerificationData(
        encoder, samples, saved.rows[np.sort(order[:limit])], name
    )


def _folds(rows, labels, order):
    """Returns two halves of the labelled rows, each voting on the other."""
    labelled = order[labels[order] >= 0]
    if len(labelled) < 2:
        return ()
    halves = labelled[::2], labelled[1::2]
    first, second = (Labelled(rows[half], labels[half]) for half in halves)
    return (first, second), (second, first)


def _of_data_set(config, workdir, encoder, defaults):
    run = inputs.run_with_data(config, workdir, defaults, labels="auto")
    train, load_test = data_builders.train_and_later_test(
        run, workdir, suffix=inputs.data_suffix(config)
    )
    encoder.check_rows(train.row_shape, train.name)
    test = load_test()
    verify = config.verify
    rng = np.random.default_rng(verify.seed)
    test_part = _sample(test, verify.batch, rng)
    parts = [
        _sample(
            part.subset(np.flatnonzero(part.labels >= 0)), verify.images, rng
        )
        for part in (train, test)
    ]
    encoder = _completed(encoder, run, train)
    test_part, files = _with_files(encoder, test_part)
    labelled = [
        Labelled(*stored_samples(part, encoder.decode)) for part in parts
    ]
    folds = [tuple(labelled)] if all(len(x.rows) for x in labelled) else ()
    rng = np.random.default_rng(verify.seed)
    calibration = _sample(train, config.litert.calibration_images, rng)
    return VerificationData(
        encoder,
        Samples(stored_samples(test_part, encoder.decode).rows, files, folds),
        stored_samples(calibration, encoder.decode).rows,
        test.name,
    )


def _with_files(encoder, part):
    """Returns examples whose files an export can read, and their contents.

    Without any such file, all examples and (). A line names what is left out.
    """
    signature = encoder.inputs(FORM)[DEFAULT]
    (spec,) = signature.specs.values()
    has_files = part.folder and part.paths and not part.encoded
    if not has_files or spec.dtype != tf.string:
        return part, ()
    folder = pathlib.Path(part.folder)
    files = [(folder / path).read_bytes() for path in part.paths]
    with quiet():  # hides messages of C libraries about damaged files
        _, status = signature.read(tf.constant(files))
    reasons = [reason.decode() for reason in status.numpy()]
    readable = [row for row, reason in enumerate(reasons) if reason == OK]
    if len(readable) == len(files):
        return part, files
    first_bad = next(row for row, reason in enumerate(reasons) if reason != OK)
    print(
        f"{len(files) - len(readable)} of {len(files)} test "
        f"{plural(encoder.noun)} are not compared, since exports cannot read "
        "their files; the first, "
        f"{printable(part.paths[first_bad])}: {reasons[first_bad]}"
    )
    if not readable:
        return part, ()
    return part.subset(np.array(readable)), [files[row] for row in readable]


def _completed(encoder, run, train):
    """Adds what `preprocessor.json` stores since release 0.3."""
    description = pretrain_build.describe(run, train.spec, encoder.preprocessor)
    about = {
        "title": f"{description['method']} on {train.name}",
        "method": description["method"],
        "config": description["config"],
        "data": train.name,
        "data_fingerprint": train.fingerprint(),
        **{k: v for k, v in encoder.about.items() if v},
    }
    known_sizes = {key: value for key, value in encoder.sizes.items() if value}
    sizes = {**description["sizes"], **known_sizes}
    return dataclasses.replace(encoder, about={**about, "sizes": sizes})


def _sample(part, count, rng):
    if part.num_examples <= count:
        return part
    positions = rng.choice(part.num_examples, count, replace=False)
    return part.subset(np.sort(positions))
