"""From configurations to fine-tunings of a run, as `builders` makes runs."""

import dataclasses
import functools
import pathlib

from byol_tf.data.fractions import parse_fractions
from byol_tf.data.label_table import read_label_table
from byol_tf.data.table_layout import without_splits
from byol_tf.files import loading, read_json, write_json
from byol_tf.jobs import inputs
from byol_tf.jobs.finetune.run import FineTuning
from byol_tf.jobs.finetune.settings import CAME, SCRATCH, Settings
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.runs import predictor as prediction
from byol_tf.runs.encoder import (
    classifier_path,
    load_classifier,
    load_encoder,
)
from byol_tf.tasks.registry import task_class
from byol_tf.tasks.task import Labelled

LATEST = "classifier"  # the name of the latest
# Fields of the section `task` by the tasks that have them.
_OPTIONS = {
    "classification": ("label_smoothing", "class_weights"),
    "keypoints": ("pck_alpha", "crops"),
}


def fine_tuning(config, workdir, defaults, *, task, labels) -> FineTuning:
    """The fine-tuning of a run folder's encoder.

    Args:
        config: of the fine-tuning, see `configs/finetune.py`.
        workdir: the run folder.
        defaults: a configuration of a run with every field.
        task: name of the task, see `task_class`.
        labels: fractions, see `parse_fractions`.

    Raises:
        ValueError: in one line, if there is no encoder, or if it, the data,
            the labels and the configuration do not fit together.
    """
    fractions = parse_fractions(labels)
    if config.max_steps < config.min_steps:
        print(f"Steps: {config.max_steps}, max_steps; min_steps is larger.")
    kind = task_class(task)
    options = _options(config, task)
    numbers = settings(config)
    encoder = load_encoder(
        workdir,
        size=config.size,
        crop_fraction=config.crop_fraction,
        modality=config.modality,
    )
    came = inputs.start_of(workdir, encoder)
    if came and SCRATCH in numbers.variants and CAME not in numbers.variants:
        variants = (*numbers.variants, CAME)
        numbers = dataclasses.replace(numbers, variants=variants)
    augment = encoder.modality.supervised_augment(config.augment)
    run = inputs.run_with_data(config, workdir, defaults, labels="auto")
    # A task compares names: of tags, other combinations are no error.
    images, load_test = data_builders.train_and_later_test(
        run,
        workdir,
        same_classes=False,
        bad_images_file=inputs.bad_images_file(config),
    )
    encoder.check_rows(images.row_shape, images.name)
    # Classes are among the labels of the images already.
    own = None if task == "classification" else run.data.label_column
    train = _labelled(images, config.labels_file, own)
    test_file = config.test_labels_file or config.labels_file
    made = kind.of(train, **options)
    _check_shape(made, images, config)
    crops, draw = None, None
    if not made.shown_whole:
        crops = inputs.crop_options(config.view, encoder)
        draw = inputs.train_view(encoder, crops)
    balanced = options.get("class_weights") == "balanced"
    return FineTuning(
        encoder=encoder,
        task=made,
        train=train,
        load_test=lambda: _labelled(load_test(), test_file, own),
        fractions=fractions,
        settings=numbers,
        draw=draw,
        augment=augment,
        came=came and came[1],
        task_of=functools.partial(kind.of, **options) if balanced else None,
        about={
            "encoder": inputs.about_encoder(encoder),
            "view": crops,
            "crop_fraction": config.crop_fraction,
        },
    )


def classifier_name(config, workdir, task: str = "") -> str:
    """Name of the latest classifier of a run folder.

    Args:
        config: of the fine-tuning; other data in it choose among those.
        workdir: the run folder.
        task: name of the task it was fine-tuned for; "" for any.

    Raises:
        ValueError: none is of that task, naming those that there are.
    """
    folder = pathlib.Path(workdir)
    found = sorted(
        folder.glob("classifier*.keras"),
        key=lambda p: (p.stem == LATEST, p.stat().st_mtime_ns),
    )
    tasks = {path.stem: _task_of(path.with_suffix(".json")) for path in found}
    fitting = [n for n, own in tasks.items() if task in ("", own)]
    if tasks and not fitting:
        there = ", ".join(f"--task={own}" for own in sorted({*tasks.values()}))
        raise ValueError(
            f"nothing in {workdir} was fine-tuned for {task}; choose {there}, "
            f"or fine-tune first: byol_tf finetune {workdir} --task={task}"
        )
    suffix = inputs.data_suffix(config)
    of_data = [name for name in fitting if name.endswith(suffix)]
    return (of_data or fitting or [LATEST])[-1]


def _task_of(file):
    with loading(file):
        return read_json(file)["task"]


def predicted(
    config, workdir, directory, *, task="", out=None
) -> prediction.Predicted:
    """Predicts a folder with what was fine-tuned.

    `predictions.csv.json` beside the CSV file says which model it was.

    Args:
        config: of the fine-tuning.
        workdir: the run folder.
        directory: with files.
        task: see `classifier_name`.
        out: the CSV file; None for `predictions.csv` in the run folder.
    """
    name = classifier_name(config, workdir, task)
    classifier = load_classifier(workdir, name, task or None, config.modality)
    target = pathlib.Path(out or pathlib.Path(workdir) / "predictions.csv")
    limit = int((config.data.max_megapixels or 0) * 10**6)
    done = prediction.predict_folder(
        classifier.resized(max_pixels=limit),
        directory,
        target,
        config.encode_batch,
    )
    known = ("task", "title", "data", "data_fingerprint", "sha256")
    about = {key: classifier.about.get(key) for key in known}
    model = str(classifier_path(workdir, name).resolve())
    folder = str(pathlib.Path(directory).resolve())
    write_json(
        target.with_name(f"{target.name}.json"),  # no other file's name
        {"model": model, **about, "folder": folder},
    )
    return done


def _options(config, task):
    """Fields of the section `task` that the task has.

    Raises:
        ValueError: a field is set that the task does not have.
    """
    known = _OPTIONS.get(task, ())
    given = {k: v for k, v in config.task.items() if v is not None}
    for field, value in given.items():
        if field not in known:
            raise ValueError(
                f"task.{field} is not for --task={task}. Received: {value!r}"
            )
    return given


def settings(config) -> Settings:
    """Settings of a fine-tuning, of its configuration."""
    nested = {
        "optimizer": config.optimizer.name,
        "momentum": config.optimizer.momentum,
    }
    names = {field.name for field in dataclasses.fields(Settings)} - set(nested)
    return Settings(**{name: config[name] for name in names}, **nested)


def _labelled(images, file, own):
    """The images with a row of the file of labels, if there is one.

    Without one, with a row of the data's own table, of its column `own`, or
    all of them for ""; with None, without.
    """
    if not file:
        table = (images.taken or {}).get("table")
        if table is None or own is None:
            return Labelled(images)
        table = read_label_table(pathlib.Path(images.folder) / table)
        table = without_splits(table, own)
        return Labelled(images, table.aligned(images.paths))
    if not images.folder:
        raise ValueError(
            f"labels_file={file!r} names images by their paths, but those of "
            f"{images.name} do not come from a folder (data.source=folder)"
        )
    folders = [pathlib.Path(images.folder)]
    if images.taken["layout"] == "splits":  # one table may cover all of them
        above = folders[0].parent
        folders += [above, *filter(pathlib.Path.is_dir, above.iterdir())]
    files = [folder / file for folder in folders[:2]]
    table = read_label_table(
        next(filter(pathlib.Path.is_file, files), files[0])
    )
    return Labelled(images, table.aligned(images.paths, folders))


def _check_shape(task, images, config):
    if not task.moves_with_image:
        return
    height, width, _ = images.row_shape
    if height != width:
        raise ValueError(
            f"{task.name} needs square images, since only the centre square "
            f"is shown. Received: {height}x{width} images of {images.name}"
        )
    if not task.shown_whole and config.crop_fraction != 1:
        raise ValueError(
            f"the targets of {task.name} are those of the whole image; leave "
            f"crop_fraction at 1. Received: {config.crop_fraction}"
        )
    if not task.shown_whole and height is None:
        raise ValueError(
            f"the targets of {task.name} are those of the centre square, but "
            f"crops are cut from whole images of {images.name}; give "
            "data.image_size, so that squares are stored"
        )
