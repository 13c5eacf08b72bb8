"""Detects events in a file or a stream."""

import pathlib
from collections.abc import Iterator

from absl import logging

from byol_tf.checks import check_number
from byol_tf.data.rows import Unreadable
from byol_tf.jobs.finetune.build import LONGEST, classifier_name
from byol_tf.lines import plural
from byol_tf.runs.encoder import load_classifier
from byol_tf.runs.listening import Listening
from byol_tf.tasks.classification import Classification

_BLOCK = 10  # seconds of a file per block


def events(
    config,
    workdir,
    source,
    *,
    task: str = "",
    rate: int = 0,
    window: float = 0.0,
    hop: float = 0.0,
    **options,
) -> Iterator[dict]:
    """Yields the events of a classifier, see `Listening.events`.

    Args:
        config: configuration of the fine-tuning.
        workdir: the run folder.
        source: path of a file; or a binary file of 16-bit samples.
        task: see `classifier_name`.
        rate: samples per second of a binary file; 0: that of the encoder.
        window: seconds, at most the encoder's input length, which 0 means.
        hop: seconds; 0: a quarter of the window.
        **options: `confidence` and `silence` of `Listening`.

    Raises:
        ValueError: if the model is not a classifier of sounds, or the file
            cannot be read.
    """
    is_file = isinstance(source, str | pathlib.Path)
    # A stream can only be for a classifier, whatever was fine-tuned last.
    task = task or ("" if is_file else Classification.name)
    name = classifier_name(config, workdir, task)
    classifier = load_classifier(workdir, name, task or None, config.modality)
    modality = classifier.modality
    if not hasattr(modality, "stream"):
        raise ValueError(
            f"events need a model of sounds, and this one takes "
            f"{plural(modality.name)}; name a folder to predict"
        )
    if not isinstance(classifier.task, Classification):
        hint = (
            "add --out=predictions.csv"
            if is_file
            else "write the samples to a file, and predict that"
        )
        raise ValueError(
            "events need a classifier, and this model was fine-tuned for "
            f"{classifier.task.name}; {hint}"
        )
    input_seconds = classifier.sizes["samples"] / classifier.sizes["rate"]
    # Of more it hears the middle alone.
    check_number("window", window, 0, input_seconds)
    listening = Listening(
        window or input_seconds, hop or (window or input_seconds) / 4, **options
    )
    if is_file:
        blocks = _of_file(classifier, source)
    else:
        if not rate:
            rate = classifier.sizes["rate"]
            logging.info("Rate: %d samples a second, as it was trained.", rate)
        blocks = modality.stream(source, rate, classifier.sizes)
    return listening.events(classifier, blocks)


def _of_file(classifier, path):
    # Keep pauses, so that times are those of the file.
    whole = classifier.with_sizes(max_seconds=LONGEST, skip_silence=False)
    try:
        row = whole.decode(path)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}") from error
    step = _BLOCK * classifier.sizes["rate"]
    return [row[start : start + step] for start in range(0, len(row), step)]
