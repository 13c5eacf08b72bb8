"""From configurations to exports of a run, as `builders` makes runs."""

import dataclasses
import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from byol_tf.checks import check_number
from byol_tf.export import formats, saved_model, signatures, to_litert, verify
from byol_tf.export.model_card import model_card
from byol_tf.files import read_json, write_json, write_text
from byol_tf.jobs import inputs
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.jobs.pretrain import methods as objective_builders
from byol_tf.modalities.image.views import CentreView
from byol_tf.runs import encoder as encoders
from byol_tf.runs import predictor as prediction
from byol_tf.runtime import describe_machine
from byol_tf.tasks.classification import Classification

RESULTS = ("train", "eval_linear", "finetune")  # that a run folder may hold
FILE = "export.json"


def export(
    config,
    workdir,
    target,
    defaults,
    names: Sequence[str] = (formats.SAVED_MODEL,),
) -> dict:
    """Exports a run's encoder, verifies it, and describes it.

    Args:
        config: of the export, see `configs/export.py`.
        workdir: the run folder; `export.json` of it holds every format's.
        target: folder of the SavedModel's versions; those of another format
            are in a folder of its name therein, which servers pass over.
        defaults: a configuration of a run with every field.
        names: of the formats.

    Returns:
        By format what its `export.json` holds.

    Raises:
        ValueError: in one line, if there is no encoder, if it, the data and
            the configuration do not fit together, if a library is missing,
            or if the export differs from the encoder by more than is
            tolerated.
    """
    formats.check_formats(names)
    settings = verify_settings(config.verify)
    source, about, train, test = _source(config, workdir, defaults)
    comparison = verify.Comparison(source.encoder, train, test, settings)
    exported = {}
    for name in names:
        other = "" if name == formats.SAVED_MODEL else name
        exported[name] = _write(
            name, source, comparison, settings, about, target, other
        )
        _keep(pathlib.Path(workdir) / FILE, name, exported[name])
    return exported


def verify_settings(section) -> verify.Settings:
    """Settings of the comparison, of the section `verify`."""
    fields = dict(section)
    for precision in to_litert.PRECISIONS:
        fields[precision] = verify.Tolerance(**fields[precision])
    return verify.Settings(**fields)


def _write(name, source, comparison, settings, about, target, other):
    """Writes one format as a new version, unless it is not like Keras."""
    directory = pathlib.Path(target) / other
    with saved_model.new_version(directory) as folder:
        written = formats.WRITERS[name](source, folder)
        measured = {}
        for form, reference in written.forms:
            numbers = comparison.measure(form, reference)
            verify.check(form.name, numbers, settings)
            measured[form.name] = numbers
        version = saved_model.next_version(directory)
        about = {
            "format": name,
            "version": version,
            "folder": str(directory / str(version)),
            "signatures": written.signatures,
            **about,
            "verification": {
                "keras": comparison.keras,
                "forms": measured,
                "threads": source.threads,
                "settings": dataclasses.asdict(settings),
            },
        }
        extra = folder / ("" if other else saved_model.EXTRA)
        extra.mkdir(exist_ok=True)
        write_json(extra / FILE, about)
        write_text(extra / "model_card.md", model_card(about))
    return about


def _keep(path, name, about):
    """Puts a format's description beside those of the other formats."""
    kept = read_json(path) if path.is_file() else {}
    kept = {key: kept[key] for key in formats.WRITERS if key in kept}
    write_json(path, {**kept, name: about})


def _source(config, workdir, defaults):
    """What is exported, what is told of it, and the images to compare on."""
    precisions = to_litert.check_precisions(config.litert.precisions)
    samples = config.litert.calibration_images
    check_number("litert.calibration_images", samples, 1)
    loaded = encoders.load_encoder(workdir)
    run = inputs.run_with_data(config, workdir, defaults, labels="auto")
    train, load_test = data_builders.train_and_later_test(
        run,
        workdir,
        bad_images_file=inputs.bad_images_file(config),
    )
    size = inputs.image_size(loaded, train, config, run)
    view = CentreView(size, config.crop_fraction)
    encoder = signatures.Model(loaded, view, min(train.row_shape[:2]))
    classifier, without = _classifier(config, workdir)
    method = objective_builders.title(run)
    about = {
        "title": f"{method} on {train.name}",
        "method": method,
        "without_classify": without,
        "classes": list(classifier.classes) if classifier else [],
        "image_size": encoder.image_size,
        "channels": encoder.channels,
        "crop_fraction": config.crop_fraction,
        "max_pixels": config.max_pixels,
        **_about_run(loaded, workdir, size, run, train),
    }
    source = formats.Source(
        encoder=encoder,
        classifier=classifier,
        size=size,
        max_pixels=config.max_pixels,
        precisions=precisions,
        samples=_some(train, samples, config.verify.seed),
        threads=about["machine"]["cores"],
        metadata={
            "title": about["title"],
            "encoder_sha256": about["encoder"]["sha256"],
            "data_fingerprint": about["data_fingerprint"],
        },
    )
    return source, about, train, load_test()


def _some(images, count, seed):
    count = min(count, images.num_examples)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(images.num_examples, count, replace=False)
    return np.asarray(images.subset(np.sort(chosen)).rows)


def _about_run(encoder, workdir, size, run, train):
    """Where the encoder comes from, and what the run says of it."""
    found = {name: pathlib.Path(workdir) / f"{name}.json" for name in RESULTS}
    return {
        "encoder": inputs.about_encoder(encoder, workdir, size),
        "parameters": encoder.count_params(),
        "config": run.to_dict(),
        "data": train.name,
        "data_fingerprint": train.fingerprint(),
        "results": {
            name: read_json(path)
            for name, path in found.items()
            if path.is_file()
        },
        "machine": describe_machine(),
    }


def _classifier(config, workdir):
    """The classifier to export, or None, and why there is none."""
    name = config.classifier
    usual = pathlib.Path(workdir) / "classifier.keras"
    if name == "none" or (not name and not usual.is_file()):
        return None, ""
    path = pathlib.Path(workdir) / f"{name or 'classifier'}.keras"
    if not path.is_file():
        raise ValueError(f"--config.classifier={name}: there is no {path}")
    model, task, prepare, size = prediction.load_classifier(workdir, path.stem)
    if not isinstance(task, Classification):
        reason = f"{path.name} is of {task.name}, not of classes"
        if name:
            raise ValueError(f"--config.classifier={name}: {reason}")
        return None, reason
    if isinstance(model.output, dict):
        model = keras.Model(model.input, model.output[task.prediction])
    return signatures.Model(model, prepare, size, task.columns), ""
