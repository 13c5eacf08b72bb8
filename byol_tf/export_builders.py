"""From configurations to exports of a run, as `builders` makes runs."""

import dataclasses
import pathlib

import tensorflow as tf

from byol_tf import builders, encoders, evaluation_builders, prediction
from byol_tf.augment.views import CentreView
from byol_tf.files import read_json, write_json, write_text
from byol_tf.runtime import describe_machine
from byol_tf.serving import saved_model, signatures, verify
from byol_tf.serving.model_card import model_card
from byol_tf.tasks.classification import Classification

RESULTS = ("train", "eval_linear", "finetune")  # that a run folder may hold


def export(config, workdir, target, defaults) -> dict:
    """Exports a run's encoder, verifies it, and describes it.

    Args:
        config: of the export, see `configs/export.py`.
        workdir: the run folder; `export.json` is written into it.
        target: folder of the versions.
        defaults: a configuration of a run with every field.

    Returns:
        What `export.json` holds.

    Raises:
        ValueError: in one line, if there is no encoder, if it, the data and
            the configuration do not fit together, or if the export differs
            from the encoder by more than is tolerated.
    """
    settings = verify.Settings(**config.verify)
    loaded = encoders.load_encoder(workdir)
    run = evaluation_builders.run_with_data(
        config, workdir, defaults, labels="auto"
    )
    train, load_test = builders.train_and_later_test(run, workdir)
    size = evaluation_builders.image_size(loaded, train, config, run)
    encoder = signatures.Model(
        loaded,
        CentreView(size, config.crop_fraction),
        min(train.image_shape[:2]),
    )
    classifier, without = _classifier(config, workdir)
    module, calls = signatures.make_module(
        encoder, classifier, config.max_pixels
    )
    with saved_model.new_version(target) as folder:
        saved_model.save(module, calls, folder)
        numbers = verify.verify(
            lambda: tf.saved_model.load(str(folder)),
            encoder,
            train,
            load_test(),
            settings,
        )
        verify.check(numbers, settings)
        about = {
            "version": saved_model.next_version(target),
            "title": f"BYOL on {train.name}",
            "signatures": signatures.describe(encoder, classifier),
            "without_classify": without,
            "classes": list(classifier.classes) if classifier else [],
            "image_size": encoder.image_size,
            "crop_fraction": config.crop_fraction,
            "max_pixels": config.max_pixels,
            "verification": {
                "bytes_on_disk": saved_model.size_on_disk(folder),
                **numbers,
                "settings": dataclasses.asdict(settings),
            },
            **_about_run(loaded, workdir, size, run, train),
        }
        extra = folder / saved_model.EXTRA
        extra.mkdir()
        write_json(extra / "export.json", about)
        write_text(extra / "model_card.md", model_card(about))
    write_json(pathlib.Path(workdir) / "export.json", about)
    return about


def _about_run(encoder, workdir, size, run, train):
    """Where the encoder comes from, and what the run says of it."""
    found = {name: pathlib.Path(workdir) / f"{name}.json" for name in RESULTS}
    return {
        "encoder": evaluation_builders.about_encoder(encoder, workdir, size),
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
    return signatures.Model(model, prepare, size, task.columns), ""
