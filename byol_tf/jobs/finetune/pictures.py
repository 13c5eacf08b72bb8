"""The report of a fine-tuning whose targets have places in an image."""

import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from byol_tf.jobs.finetune.fit import Targets
from byol_tf.jobs.finetune.results import by_name
from byol_tf.jobs.finetune.trainer import FineTuner
from byol_tf.reports.grids import displayable
from byol_tf.reports.report import write_report
from byol_tf.tasks.drawn import draw_marks
from byol_tf.tasks.task import Accumulator, Task, take

IMAGES_PER_FIGURE = 8
SIDE = 224  # smallest side in pixels of a shown image
_GAP = 6


def has_places(task: Task) -> bool:
    """Returns whether targets can be drawn into images."""
    return type(task).as_decoded is not Task.as_decoded


def pictures(
    tuner: FineTuner, train: Targets, test: Targets, worst: Sequence[int]
) -> dict[str, bytes]:
    """Draws PNG files by heading: a batch, truth and prediction, the worst.

    Args:
        tuner: with the weights to show.
        train: examples of the first batch.
        test: examples to predict.
        worst: indices of the worst among these.
    """
    positions = np.arange(train.examples.num_examples)
    images, targets = tuner.views(
        tf.nest.map_structure(tf.constant, train.examples.take(positions)),
        tf.nest.map_structure(tf.constant, train.targets),
        seed=0,
        step=0,
    )
    targets = tf.nest.map_structure(np.asarray, targets)
    batch = _draw(tuner.task, images, tuner.task.as_decoded(targets))
    first_rows = np.arange(min(IMAGES_PER_FIGURE, test.examples.num_examples))
    images_by_heading = {
        "First batch, as it was learned from": batch[:IMAGES_PER_FIGURE],
        "Truth and prediction beside it": _pairs(
            tuner, test.subset(first_rows)
        ),
    }
    if len(worst):
        worst_rows = np.array(worst[:IMAGES_PER_FIGURE])
        images_by_heading["Most errors: truth and prediction"] = _pairs(
            tuner, test.subset(worst_rows)
        )
    return {
        name: _png(_montage(parts)) for name, parts in images_by_heading.items()
    }


def report(
    workdir: pathlib.Path,
    result: Mapping,
    tuner: FineTuner,
    train: Targets,
    test: Targets,
    predictions: Accumulator | None,
) -> None:
    """Writes `finetune.html` into a run folder.

    Args:
        workdir: the folder, with `finetune.png`.
        result: contents of `finetune.json`.
        tuner: with the saved weights.
        train: examples of the first batch.
        test: the test examples.
        predictions: those of the test examples, see `find_errors`.
    """
    curve = (workdir / "finetune.png").read_bytes()
    worst = [line["row"] for line in result["worst"]]
    parts = {"Over the number of labels": curve}
    parts |= pictures(tuner, train, test, worst)
    if result.get("confidence"):
        parts |= predictions.pictures(result["confidence"]["best"])
    rows = [
        (name, row["labels"], variant, entry["test"]["mean"])
        for name, row in result["fractions"].items()
        for variant, entry in row["variants"].items()
    ]
    write_report(
        workdir / "finetune.html",
        title=f"Fine-tuned on {result['data']}",
        table=(("labels", "images", "start", result["metric"]), rows),
        pictures=parts,
        notes=[*by_name(result), *_notes(result.get("confidence"))],
    )


def find_errors(
    tuner: FineTuner, validation: Targets, test: Targets, batch_size: int
) -> tuple[dict, Accumulator | None]:
    """Finds test examples with most errors, and a confidence threshold.

    Only if the task supports them. The threshold is the best on the validation
    part; the shares with it are those of the test examples.

    Args:
        tuner: with the saved weights.
        validation: examples that the best step was chosen by.
        test: the test examples.
        batch_size: examples per batch.

    Returns:
        `worst`, and for tasks with confidences `confidence`, as JSON values;
        and the predictions of the test examples, if they were made.
    """
    if not hasattr(tuner.task.accumulator(), "worst"):
        return {"worst": []}, None
    predictions, _ = tuner.predict(*test, batch_size)
    paths = test.examples.paths
    facts = {
        "worst": [
            {"row": row, **({"path": paths[row]} if paths else {}), **line}
            for row, line in predictions.worst()
        ]
    }
    if hasattr(predictions, "best_confidence"):
        validation_predictions, _ = tuner.predict(*validation, batch_size)
        best = validation_predictions.best_confidence()
        facts["confidence"] = best and {
            "best": best,
            "chosen_by": validation.examples.num_examples,
            **predictions.at_confidence(best),
        }
    return facts, predictions


def _notes(confidence):
    if not confidence:
        return []
    return [
        f"Show objects of a confidence of {confidence['best']:.2f} or more: "
        f"the best F1 on {confidence['chosen_by']} validation images. On the "
        f"test images that gives precision {confidence['precision']:.3f}, "
        f"recall {confidence['recall']:.3f}, F1 {confidence['f1']:.3f}."
    ]


def _pairs(tuner, part):
    """Draws truth left and prediction right, for each example."""
    positions = np.arange(part.examples.num_examples)
    images, decoded = tuner.show(part.examples.take(positions, tuner.prepare))
    truth = _draw(tuner.task, images, tuner.task.as_decoded(part.targets))
    predictions = _draw(tuner.task, images, decoded)
    return [np.hstack(pair) for pair in zip(truth, predictions, strict=True)]


def _draw(task, images, decoded):
    """Draws predictions into images, uint8 `[side, side, 3]` each."""
    pixels = np.uint8(255 * displayable(images) + 0.5)
    factor = -(-SIDE // pixels.shape[1])
    pixels = pixels.repeat(factor, 1).repeat(factor, 2)
    side = pixels.shape[1]
    rows = task.rows(task.in_squares(decoded, 1 / side))
    rows = [row if isinstance(row, list) else [row] for row in rows]
    return [
        draw_marks(image, task.marks(image_rows, side, side))
        for image, image_rows in zip(pixels, rows, strict=True)
    ]


def _montage(parts):
    """Arranges pictures of one size in rows of about two thirds of a screen."""
    height, width, _ = parts[0].shape
    columns = min(max(1000 // width, 1), len(parts))
    lines = -(-len(parts) // columns)
    cell_height, cell_width = height + _GAP, width + _GAP
    page = np.full(
        (lines * cell_height, columns * cell_width, 3), 255, np.uint8
    )
    for i, part in enumerate(parts):
        y, x = cell_height * (i // columns), cell_width * (i % columns)
        page[y : y + height, x : x + width] = part
    return page


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def first_batch(part: Targets, batch_size: int) -> Targets:
    """Returns as many examples as a batch has, to avoid another compilation."""
    count = min(batch_size, part.examples.num_examples)
    index = np.arange(count)
    return Targets(part.examples.subset(index), take(part.targets, index))
