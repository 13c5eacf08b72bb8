"""Builds exports of a run from configurations."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from byol_tf.checks import check_number
from byol_tf.export import formats, saved_model, to_litert, verify
from byol_tf.export.judged import Judge
from byol_tf.export.model_card import model_card
from byol_tf.export.quiet import quiet
from byol_tf.files import read_json, write_json, write_text
from byol_tf.jobs import inputs
from byol_tf.jobs.export import samples
from byol_tf.jobs.export.checkpoint import run_of_checkpoint
from byol_tf.layers.plain import to_plain
from byol_tf.locks import owned_folder
from byol_tf.runs.encoder import load_classifier, load_encoder
from byol_tf.runs.samples import load_test_rows
from byol_tf.runtime import describe_machine
from byol_tf.tasks.classification import Classification

RESULTS = ("train", "eval_linear", "finetune")  # results of a run
FILE = "export.json"


def export(
    config,
    workdir,
    target,
    defaults,
    names: Sequence[str] = (formats.SAVED_MODEL,),
    checkpoint: str = "",
) -> dict:
    """Exports a run's encoder, verifies it, and describes it.

    Args:
        config: configuration of the export, see `configs/export.py`.
        workdir: the run folder; its `export.json` describes every format.
        target: folder of the SavedModel's versions; other formats are in
            sub-folders named after them, which servers ignore.
        defaults: a run's configuration with every field.
        names: names of the formats.
        checkpoint: "last" or "best", see `run_of_checkpoint`; "": the final
            encoder.

    Returns:
        Descriptions of the exports by format, as in `export.json`.

    Raises:
        ValueError: if there is no encoder; if encoder, data and configuration
            do not match; if a library is missing; or if the export differs from
            the encoder beyond the tolerance. One line.
    """
    formats.check_formats(names)
    with contextlib.ExitStack() as stack:
        stack.enter_context(owned_folder(target))
        source, checkpoint_about = workdir, {}
        if checkpoint:
            source, step = stack.enter_context(
                run_of_checkpoint(config, workdir, defaults, checkpoint)
            )
            checkpoint_about = {
                "checkpoint": {"which": checkpoint, "step": step}
            }
        plan, about, comparison = _plan(config, source, defaults)
        about, exported = {**about, **checkpoint_about}, {}
        for name in names:
            subfolder = "" if name == formats.SAVED_MODEL else name
            exported[name] = _write(
                name, plan, comparison, about, target, subfolder
            )
            _add_description(pathlib.Path(workdir) / FILE, name, exported[name])
    return exported


def verify_settings(section) -> verify.Settings:
    """Returns the settings of the comparison from the section `verify`."""
    fields = dict(section)
    for precision in to_litert.PRECISIONS:
        fields[precision] = verify.Tolerance(**fields[precision])
    return verify.Settings(**fields)


def _write(name, plan, comparison, about, target, subfolder):
    """Writes one format as a new version, unless it differs from Keras."""
    directory, settings = pathlib.Path(target) / subfolder, comparison.settings
    with saved_model.new_version(directory) as folder:
        output = formats.WRITERS[name](plan, folder)
        results = {}
        for exported, reference in output.exports:
            with quiet():  # hides messages of C libraries about damaged files
                result = comparison.measure(exported, reference)
            verify.check(exported.name, result, settings)
            results[exported.name] = result
        version = saved_model.next_version(directory)
        about = {
            "format": name,
            "version": version,
            "folder": str(directory / str(version)),
            "signatures": output.signatures,
            **about,
            "verification": {
                "keras": comparison.keras,
                "forms": results,
                "threads": plan.threads,
                "settings": dataclasses.asdict(settings),
            },
        }
        extra = folder / ("" if subfolder else saved_model.EXTRA)
        extra.mkdir(exist_ok=True)
        write_json(extra / FILE, about)
        card = plan.encoder.modality.card(about)
        write_text(extra / "model_card.md", model_card(about, card))
    return about


def _add_description(path, name, about):
    """Adds a format's description to those of the other formats."""
    descriptions = read_json(path) if path.is_file() else {}
    descriptions = {
        key: descriptions[key] for key in formats.WRITERS if key in descriptions
    }
    write_json(path, {**descriptions, name: about})


def _plan(config, workdir, defaults):
    """Returns what to export, its description, and the rows to compare on."""
    precisions = to_litert.check_precisions(config.litert.precisions)
    count = config.litert.calibration_images
    check_number("litert.calibration_images", count, 1)
    encoder = load_encoder(
        workdir,
        size=config.size,
        crop_fraction=config.crop_fraction,
        modality=config.modality,
    ).resized(max_pixels=config.max_pixels)
    data = samples.find(config, workdir, encoder, defaults)
    encoder = data.encoder
    classifier, decode = _classifier(config, workdir)
    about = {
        "title": encoder.about["title"],
        "method": encoder.about["method"],
        "task": classifier.task.name if classifier else None,
        "classes": list(classifier.classes) if classifier else [],
        "whole_images": bool(classifier and classifier.sizes.get("whole")),
        "image_size": encoder.sizes.get("image_size"),
        "channels": encoder.sizes.get("channels"),
        "sizes": dict(encoder.sizes),
        "crop_fraction": config.crop_fraction,
        "max_pixels": config.max_pixels,
        "compared_on": data.name,
        **_about_run(encoder, workdir, config.classifier),
    }
    plan = formats.Plan(
        encoder=_plain(encoder),
        classifier=classifier and _plain(classifier),
        decode=decode,
        precisions=precisions,
        samples=data.calibration,
        threads=about["machine"]["cores"],
        metadata={
            "title": about["title"],
            "encoder_sha256": about["encoder"]["sha256"],
            "data_fingerprint": about["data_fingerprint"],
        },
    )
    settings = verify_settings(config.verify)
    comparison = verify.Comparison(
        encoder,
        data.samples,
        settings,
        _judge(config, workdir, classifier),
        plan.predict,
    )
    return plan, about, comparison


def _judge(config, workdir, classifier):
    """Returns the test examples stored by fine-tuning; None without any."""
    name = f"{config.classifier or 'classifier'}.npz"
    test_rows = classifier and load_test_rows(pathlib.Path(workdir) / name)
    if not test_rows or not isinstance(test_rows.rows, np.ndarray):
        return None  # rows of several lengths are not evaluated
    squares = bool(classifier.sizes.get("whole"))
    return Judge(classifier.task, *test_rows, config.verify.batch, squares)


def _plain(source):
    """Returns the same source with Keras's own layers, for every format."""
    return dataclasses.replace(source, model=to_plain(source.model))


def _about_run(encoder, workdir, classifier):
    """Returns the encoder's origin, and the results of its run."""
    paths = {name: pathlib.Path(workdir) / f"{name}.json" for name in RESULTS}
    if classifier not in ("", "none"):  # an earlier one has its own results
        name = classifier.replace("classifier", "finetune", 1)
        paths["finetune"] = pathlib.Path(workdir) / f"{name}.json"
    return {
        "encoder": inputs.about_encoder(encoder),
        "parameters": encoder.model.count_params(),
        "config": encoder.about["config"],
        "data": encoder.about["data"],
        "data_fingerprint": encoder.about["data_fingerprint"],
        "results": {
            name: read_json(path)
            for name, path in paths.items()
            if path.is_file()
        },
        "machine": describe_machine(),
    }


def _classifier(config, workdir):
    """Returns the fine-tuned model or None, and the decoder of its outputs."""
    name = config.classifier
    default_path = pathlib.Path(workdir) / "classifier.keras"
    if name == "none" or (not name and not default_path.is_file()):
        return None, None
    path = pathlib.Path(workdir) / f"{name or 'classifier'}.keras"
    if not path.is_file():
        names = sorted(p.stem for p in path.parent.glob("classifier*.keras"))
        raise ValueError(
            f"--config.classifier={name}: there is no {path}; there is "
            f"{', '.join(names) or 'none: fine-tune first'}"
        )
    classifier = load_classifier(workdir, path.stem, modality=config.modality)
    classifier = classifier.resized(max_pixels=config.max_pixels)
    if not isinstance(classifier.task, Classification):
        return classifier, classifier.task.decode
    if isinstance(classifier.model.output, dict):
        classifier = classifier.giving(classifier.task.prediction)
    return classifier, None
