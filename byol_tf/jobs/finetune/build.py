"""Builds fine-tunings of a run from configurations."""

import dataclasses
import functools
import os
import pathlib
import re
import shutil

from byol_tf.data.annotations.check import check_boxes
from byol_tf.data.annotations.find import (
    LISTED,
    TESTS,
    find_boxes,
    find_coco_points,
    find_points,
    find_test_split,
)
from byol_tf.data.annotations.points import check_points
from byol_tf.data.fractions import parse_fractions
from byol_tf.data.label_table import read_label_table
from byol_tf.data.table_layout import without_splits
from byol_tf.evaluation.features import most_at_once
from byol_tf.files import loading, read_json, write_json
from byol_tf.jobs import inputs
from byol_tf.jobs.finetune.crops import write_crops
from byol_tf.jobs.finetune.lengths import long_enough
from byol_tf.jobs.finetune.run import FineTuning
from byol_tf.jobs.finetune.settings import ORIGINAL, SCRATCH, Settings
from byol_tf.jobs.groups import Groups
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.runs import predictor as prediction
from byol_tf.runs.encoder import (
    classifier_path,
    load_classifier,
    load_encoder,
)
from byol_tf.tasks import registry
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.pose import read_model
from byol_tf.tasks.registry import task_class
from byol_tf.tasks.task import VECTOR, Labelled
from byol_tf.tasks.tiled import parse_tiles

_PIXELS = 2**21  # pixels of whole images per batch
_SOUNDS = 16  # whole sounds per batch
LONGEST = 7200  # longest recording in seconds, predicted in parts
LATEST = "classifier"  # name of the latest model
# Fields of the section `task`, by task.
_OPTIONS = {
    "classification": ("label_smoothing", "class_weights"),
    "detection": ("confidence",),
    "keypoints": ("pck_alpha", "crops", "head"),
    "transcription": ("beam",),
}


def fine_tuning(
    config,
    workdir,
    defaults,
    *,
    task,
    labels,
    groups: Groups | None = None,
    skips: bool = False,
) -> FineTuning:
    """Builds the fine-tuning of a run folder's encoder.

    Args:
        config: configuration of the fine-tuning, see `configs/finetune.py`.
        workdir: the run folder.
        defaults: a run's configuration with every field.
        task: name of the task, see `task_class`.
        labels: fractions, see `parse_fractions`.
        groups: groups to test on, a fifth of them or those it names.
        skips: whether to leave out fractions that are too small.

    Raises:
        ValueError: if there is no encoder, or if encoder, data, labels and
            configuration do not match. One line.
    """
    fractions = parse_fractions(labels)
    if config.max_steps < config.min_steps:
        print(f"Steps: {config.max_steps} (max_steps, less than min_steps).")
    task_cls = task_class(task)
    options = _options(config, task)
    fit_settings = settings(config)
    encoder = _encoder(config, workdir, task_cls, options)
    batch_size = min(fit_settings.encode_batch, most_at_once(encoder.model))
    fit_settings = dataclasses.replace(fit_settings, encode_batch=batch_size)
    original = inputs.start_of(workdir, encoder)
    if (
        original
        and SCRATCH in fit_settings.variants
        and ORIGINAL not in fit_settings.variants
    ):
        variants = (*fit_settings.variants, ORIGINAL)
        fit_settings = dataclasses.replace(fit_settings, variants=variants)
    augment = encoder.modality.supervised_augment(config.augment)
    run = inputs.run_with_data(config, workdir, defaults, labels="auto")
    decoder = None
    if task_cls.whole_images:
        if task_cls is Keypoints:
            _use_objects(config, run, pathlib.Path(workdir))
        decoder = _use_annotations(config, run, encoder)
    elif task_cls.sequences:  # a text belongs to its whole sound
        decoder = encoder.modality.decoder(run, whole=True)
    images, load_test = data_builders.train_and_later_test(
        run,
        workdir,
        # Tasks compare names, so other combinations of tags are no error.
        same_classes=False,
        suffix=inputs.data_suffix(config),
        decoder=decoder,
    )
    encoder.check_rows(images.row_shape, images.name)
    if not task_cls.sequences:
        encoder = _in_windows(encoder, run.data.window_seconds)
    held_out = groups and groups.a_fifth(images, config.seed)
    if groups:
        print(f"Test: {groups.column} {', '.join(held_out)}.")
        images, load_test = groups.split(images, load_test, held_out)
    # Classes are already labels of the images.
    label_column = None if task == "classification" else run.data.label_column
    train, label_test = _labels(config, run, images, encoder, label_column)
    check = _inside if task_cls is Keypoints else lambda labelled: labelled
    train = check(train)
    task_instance = task_cls.of(train, **options)
    _check_shape(task_instance, images, config)
    for line in task_instance.guesses():
        print(line)
    if task_instance.sequences:
        train = long_enough(train, task_instance, encoder)
    crops, draw = None, None
    if not task_instance.shown_whole:
        crops = inputs.crop_options(config.view, encoder, task_instance.view)
        draw = inputs.train_view(encoder, crops)
    balanced = options.get("class_weights") == "balanced"
    return FineTuning(
        encoder=encoder,
        task=task_instance,
        train=train,
        load_test=lambda: check(label_test(load_test())),
        fractions=fractions,
        skips=skips,
        settings=fit_settings,
        draw=draw,
        augment=augment,
        original=original and original[1],
        task_of=functools.partial(task_cls.of, **options) if balanced else None,
        about={
            "encoder": inputs.about_encoder(encoder),
            "view": crops,
            "crop_fraction": config.crop_fraction,
            "groups": groups and {groups.column: list(held_out)},
        },
    )


def _in_windows(encoder, seconds):
    """Cuts sounds into rows of this many seconds; None: no change."""
    if seconds in (None, encoder.sizes.get("window_seconds", 0)):
        return encoder
    return encoder.with_sizes(window_seconds=float(seconds))


def _encoder(config, workdir, task_cls, options):
    """Loads the encoder of a run, for centre crops or for whole images."""
    if not task_cls.whole_images:
        encoder = load_encoder(
            workdir,
            size=config.size,
            crop_fraction=config.crop_fraction,
            modality=config.modality,
        )
        return encoder.sequence() if task_cls.sequences else encoder
    if config.crop_fraction != 1:
        raise ValueError(
            f"{task_cls.name} needs whole images; leave crop_fraction at 1. "
            f"Received: {config.crop_fraction}"
        )
    # Vectors depend on the input size, so keep that of pretraining.
    default_side = 0 if options.get("head") == VECTOR else task_cls.side
    side = config.size or config.data.image_size or default_side
    return load_encoder(workdir, modality=config.modality).whole(side)


def _use_objects(config, run, workdir):
    """Uses objects with keypoints from COCO files, cropped out of images."""
    section = run.data
    directory = os.path.expanduser(section.dir or "")
    if section.source != "folder" or config.labels_file:
        return
    tests = [section.test_split] if section.test_split else TESTS
    splits = section.train_split, *tests
    files = {split: find_coco_points(directory, split) for split in splits}
    if not files.get(section.train_split):
        return
    folder = workdir / "objects"
    # Those of earlier data may have other splits.
    shutil.rmtree(folder, ignore_errors=True)
    section.dir = str(folder)
    limit = int(section.max_megapixels * 10**6)
    for split, file in files.items():
        if file:
            write_crops(file, folder, split, limit)


def _use_annotations(config, run, encoder):
    """Returns the decoder of whole images; uses annotations, if there are any.

    Named files of labels, and other sources, are not changed.
    """
    section = run.data
    section.image_size = encoder.sizes["view_size"]
    extensions = encoder.modality.extensions
    directory = os.path.expanduser(section.dir or "")
    if section.source == "folder" and not config.labels_file:
        splits = directory, section.train_split
        if find_boxes(*splits, extensions) or find_points(*splits):
            section.source = LISTED
            section.test_split = section.test_split or find_test_split(
                directory, extensions
            )
    return encoder.modality.decoder(run, whole=True)


def _labels(config, run, images, encoder, label_column):
    """Returns labelled training images, and a function to label test images."""
    section = run.data
    if section.source != LISTED:
        other = config.test_labels_file or config.labels_file
        return (
            _labelled(images, config.labels_file, label_column),
            lambda test: _labelled(test, other, label_column),
        )
    train = _annotated(images, run, section.train_split, encoder)
    names = train.boxes.names if train.boxes else ()
    split = section.test_split or section.train_split
    return train, lambda test: _annotated(test, run, split, encoder, names)


def _annotated(images, run, split, encoder, names=()):
    """Adds the annotations of a split to its images."""
    directory = os.path.expanduser(run.data.dir)
    read_boxes = find_boxes(directory, split, encoder.modality.extensions)
    if read_boxes is None:
        table = read_label_table(find_points(directory, split))
        folders = [pathlib.Path(images.folder)]
        return Labelled(images, table.aligned(images.paths, folders))

    def size_of(path):
        return encoder.origin(path)["size"]

    boxes = check_boxes(read_boxes(), images.paths, size_of, names)
    for line in boxes.lines:
        print(line)
    return Labelled(images, boxes=boxes)


def _inside(labelled):
    """Hides points that lie outside of their images."""
    if labelled.table is None:
        return labelled
    table, lines = check_points(labelled.table)
    for line in lines:
        print(line)
    return dataclasses.replace(labelled, table=table)


def classifier_name(config, workdir, task: str = "") -> str:
    """Returns the name of the latest classifier of a run folder.

    Args:
        config: configuration of the fine-tuning; its data select among them.
        workdir: the run folder.
        task: name of the fine-tuned task; "": any.

    Raises:
        ValueError: if there is none for that task; names the existing ones.
    """
    folder = pathlib.Path(workdir)
    paths = sorted(
        folder.glob("classifier*.keras"),
        key=lambda p: (p.stem == LATEST, p.stat().st_mtime_ns),
    )
    tasks = {path.stem: _task_of(path.with_suffix(".json")) for path in paths}
    candidates = [n for n, t in tasks.items() if task in ("", t)]
    if tasks and not candidates:
        flags = ", ".join(f"--task={t}" for t in sorted({*tasks.values()}))
        raise ValueError(
            f"nothing in {workdir} was fine-tuned for {task}; choose {flags}, "
            f"or fine-tune first: byol_tf finetune {workdir} --task={task}"
        )
    data_words = _words(inputs.data_suffix(config))
    matching = [
        n for n in candidates if _data_of(folder, n, tasks[n]) == data_words
    ]
    return (matching or candidates or [LATEST])[-1]


def _data_of(folder, name, task):
    """Returns the words of the name of a classifier's data."""
    if name != LATEST:
        word = task.rpartition(":")[-1]
        return _words(name.removeprefix(f"{LATEST}_{word}_"))
    file = folder / "finetune.json"
    return _words(read_json(file).get("data", "")) if file.is_file() else []


def _words(name):
    return re.findall(r"[^\W_]+", name)


def latest_task(config, workdir, task: str = "") -> str:
    """Returns the task of the classifier that `classifier_name` finds."""
    name = classifier_name(config, workdir, task)
    return _task_of(pathlib.Path(workdir) / f"{name}.json")


def _task_of(file):
    with loading(file):
        return read_json(file)["task"]


def predict(
    config,
    workdir,
    directory,
    *,
    task="",
    out=None,
    options=None,
    tiles="",
    pose="",
) -> prediction.PredictionResult:
    """Predicts a folder with a fine-tuned model.

    `predictions.csv.json` beside the CSV file names the model.

    Args:
        config: configuration of the fine-tuning.
        workdir: the run folder.
        directory: folder of files.
        task: see `classifier_name`.
        out: the CSV file; None: `predictions.csv` in the run folder. A folder,
            or a name without an extension, gets `predictions.csv` and drawn
            images, see `predict_folder`.
        options: options that replace the task's own.
        tiles: grid of tiles such as "2x2", see `predict_folder`; "": none.
        pose: for keypoints, JSON file of a 3-D model, see `read_model`; "": no
            poses.

    Raises:
        ValueError: if the task has no such option, or `out` is a folder in
            `directory`.
    """
    name = classifier_name(config, workdir, task)
    classifier = load_classifier(workdir, name, task or None, config.modality)
    if pose:
        model = dataclasses.asdict(read_model(pose))
        options = {**(options or {}), "pose": model}
    if options:
        new_task = _with_options(classifier.task, options, task)
        classifier = dataclasses.replace(classifier, task=new_task)
    target = pathlib.Path(out or pathlib.Path(workdir) / "predictions.csv")
    drawings = None
    if target.is_dir() or not target.suffix:
        drawings, target = target, target / "predictions.csv"
        _check_outside(drawings, directory)
    limit = int((config.data.max_megapixels or 0) * 10**6)
    if classifier.task.sequences:
        classifier = classifier.resized(max_seconds=LONGEST)
    else:
        classifier = _in_windows(classifier, config.data.window_seconds)
    result = prediction.predict_folder(
        classifier.resized(max_pixels=limit, column=config.data.text_column),
        directory,
        target,
        _batch_size(config, classifier),
        drawings,
        parse_tiles(tiles) if tiles else None,
    )
    keys = ("task", "title", "data", "data_fingerprint", "sha256")
    about = {key: classifier.about.get(key) for key in keys}
    model = str(classifier_path(workdir, name).resolve())
    folder = str(pathlib.Path(directory).resolve())
    write_json(
        target.with_name(f"{target.name}.json"),  # no other file's name
        {"model": model, **about, "folder": folder},
    )
    return result


def _check_outside(drawings, directory):
    """Refuses to draw into the predicted folder."""
    inner, outer = (pathlib.Path(p).resolve() for p in (drawings, directory))
    if outer in (inner, *inner.parents):
        raise ValueError(
            f"--out={drawings} lies in the folder that is predicted; name one "
            "outside of it"
        )


def _with_options(task, options, trusted):
    """Returns the task with other options."""
    about = registry.to_json(task)
    missing = sorted(set(options) - set(about["options"]))
    if missing:
        flag = {"only": "classes"}.get(missing[0], missing[0])
        raise ValueError(
            f"--{flag} is not for a model of {task.name}; leave it out"
        )
    about["options"] = {**about["options"], **options}
    return registry.from_json(about, trusted or None)


def _batch_size(config, classifier):
    """Returns the batch size; maps of large whole images need much memory."""
    if classifier.task.sequences:
        return min(config.encode_batch, _SOUNDS)
    if not classifier.sizes.get("whole"):
        return min(config.encode_batch, most_at_once(classifier.model))
    pixels = classifier.sizes["view_size"] ** 2
    return max(min(config.encode_batch, _PIXELS // pixels), 1)


def _options(config, task):
    """Returns the fields of the section `task` that the task has.

    Raises:
        ValueError: if a field is set that the task does not have.
    """
    allowed = _OPTIONS.get(task, ())
    options = {k: v for k, v in config.task.items() if v is not None}
    for field, value in options.items():
        if field not in allowed:
            raise ValueError(
                f"task.{field} is not for --task={task}. Received: {value!r}"
            )
    return options


def settings(config) -> Settings:
    """Returns the settings of a fine-tuning from its configuration."""
    nested = {
        "optimizer": config.optimizer.name,
        "momentum": config.optimizer.momentum,
    }
    names = {field.name for field in dataclasses.fields(Settings)} - set(nested)
    return Settings(**{name: config[name] for name in names}, **nested)


def _labelled(images, file, label_column):
    """Adds rows of the file of labels to the images.

    Without a file, adds the column `label_column` of the data's own table,
    or all columns for ""; None: adds nothing.
    """
    if not file:
        table = (images.taken or {}).get("table")
        if table is None or label_column is None:
            return Labelled(images)
        table = read_label_table(pathlib.Path(images.folder) / table)
        table = without_splits(table, label_column)
        folders = [pathlib.Path(images.folder)]
        return Labelled(images, table.aligned(images.paths, folders))
    if not images.folder:
        raise ValueError(
            f"labels_file={file!r} names files by their paths, but those of "
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
    if not task.moves_with_image or task.whole_images:
        return
    height, width, _ = images.row_shape
    if height != width:
        raise ValueError(
            f"{task.name} needs square images, since only the centre square "
            f"is shown. Received: {height}x{width} images of {images.name}"
        )
    if not task.shown_whole and config.crop_fraction != 1:
        raise ValueError(
            f"the targets of {task.name} refer to the whole image; leave "
            f"crop_fraction at 1. Received: {config.crop_fraction}"
        )
    if not task.shown_whole and height is None:
        raise ValueError(
            f"the targets of {task.name} refer to the centre square, but "
            f"crops are cut from whole images of {images.name}; set "
            "data.image_size to store squares"
        )
