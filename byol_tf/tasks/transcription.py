"""Transcription: the text of a sound, letter by letter."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.checks import check_integer
from byol_tf.evaluation.edit_distance import ErrorRates
from byol_tf.lines import nfc, some
from byol_tf.tasks.ctc import (
    UNKNOWN,
    beam_search,
    best_labels,
    collapse,
    ctc_head,
    ctc_loss,
    frames_needed,
)
from byol_tf.tasks.task import Labelled, Task

COLUMN = "text"
WORST = 20  # transcripts to list


class Transcription(Task):
    """Predicts the text of a sound by CTC.

    The alphabet is the letters of the training texts, in any language, and the
    space. Texts are in Unicode's form NFC, with single spaces.

    Targets are int32 `[n, longest]`: 1 for the first letter, 0 after the end,
    `ctc.UNKNOWN` for a letter that no training text has. If the time axis is
    padded, outputs have its `length`, and frames beyond are ignored.

    Args:
        columns: the letters.
        beam: prefixes kept in decoding; 1: the best label of each frame.

    Reference: Graves et al. 2006, "Connectionist temporal classification".
    """

    name = "transcription"
    metric = "character_accuracy"
    percent = True
    shown = ("wer", "cer")
    sequences = True
    mixable = False
    clip_norm = 5.0
    signature = "transcribe"

    def __init__(self, columns: Sequence[str], beam: int = 1):
        super().__init__(columns)
        self.beam = check_integer("beam", beam, 1)
        self._code = {letter: i + 1 for i, letter in enumerate(self.columns)}

    @classmethod
    def of(cls, labelled: Labelled, beam: int = 1) -> "Transcription":
        """Makes the task from the letters of the training texts.

        Raises:
            ValueError: if there is no column of texts, or it is empty.
        """
        letters = sorted(set("".join(_texts(labelled))))
        if not letters:
            raise ValueError(
                f"transcription needs texts, but the column "
                f"{_column(labelled)!r} of {labelled.table.name} is empty in "
                "all training rows; write there what is said"
            )
        return cls(letters, beam)

    def targets(self, labelled: Labelled) -> np.ndarray:
        texts = _texts(labelled)
        if unknown := sorted(set("".join(texts)) - {*self._code}):
            logging.warning(
                "%s: no text that was learned from has the letters %s; they "
                "count as errors.",
                *(labelled.examples.name, some(unknown, 20)),
            )
        longest = max(1, *map(len, texts)) if texts else 1
        targets = np.zeros((len(texts), longest), np.int32)
        for row, text in zip(targets, texts, strict=True):
            row[: len(text)] = [self._code.get(x, UNKNOWN) for x in text]
        return targets

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Returns whether an example has a text that is not empty."""
        return (targets != 0).any(axis=1)

    def fits(self, targets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Returns whether a text fits into its frames, bool `[n]`.

        Every letter needs a frame, and a repeated letter another one in
        between.
        """
        return frames_needed(targets) <= lengths

    def consumes(self, levels: Mapping[str, int]) -> tuple[str, ...]:
        """Names the finest level."""
        return tuple(sorted(levels, key=levels.get)[:1])

    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """Gives `logits`, `[batch, frames, letters + 1]`; 0 is no letter."""
        return ctc_head(specs, len(self.columns) + 1)

    def loss(self, targets: tf.Tensor, outputs: Mapping) -> tf.Tensor:
        """Computes the CTC loss per letter; 0 if a text does not fit."""
        return ctc_loss(targets, outputs["logits"], _lengths(outputs))

    def decode(
        self, outputs: Mapping, origin: Mapping | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns `frames`, `probabilities`, `confidence`; for a beam `labels`.

        `frames`: the best label of each frame, int32 `[batch, frames]`, 0 for
        blank; `collapse` turns them into labels of the text. `probabilities`:
        of these labels. `confidence`: float32 `[batch]`, their mean where
        letters begin. `labels`: int32 `[batch, letters]`, 0 after the end.
        """
        logits, lengths = outputs["logits"], _lengths(outputs)
        names = ("frames", "probabilities", "confidence")
        found = best_labels(logits, lengths)
        decoded = dict(zip(names, found, strict=True))
        if self.beam > 1:
            decoded["labels"] = beam_search(logits, lengths, self.beam)
        return decoded

    def words(self, decoded: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns `text`, string `[batch]`."""
        labels = decoded.get("labels")
        if labels is None:
            labels = tf.map_fn(
                collapse,
                decoded["frames"],
                fn_output_signature=tf.RaggedTensorSpec([None], tf.int32, 0),
            )
        letters = tf.gather(tf.constant(["", *self.columns]), labels)
        text = tf.strings.reduce_join(letters, axis=-1)
        single = tf.strings.regex_replace(text, " +", " ")
        return {"text": tf.strings.strip(single)}

    def rows(self, decoded: Mapping[str, np.ndarray]) -> list[dict]:
        """Returns `text` and its `confidence`."""
        return [
            {"text": text, "confidence": float(confidence)}
            for text, confidence in zip(
                self.texts(decoded), decoded["confidence"], strict=True
            )
        ]

    def texts(self, decoded: Mapping[str, np.ndarray]) -> list[str]:
        """Returns the text of each example, with single spaces."""
        if "labels" in decoded:
            labels = decoded["labels"]
        else:
            labels = map(collapse_row, decoded["frames"])
        return [self.spell(row) for row in labels]

    def spell(self, labels: np.ndarray) -> str:
        """Returns the text of labels; unknown letters become U+FFFD."""
        letters = (
            self.columns[i - 1] if i <= len(self.columns) else "\ufffd"
            for i in labels
            if i > 0
        )
        return plain_text("".join(letters))

    def accumulator(self) -> "TranscriptAccumulator":
        return TranscriptAccumulator(self)

    def guesses(self) -> list[str]:
        return [
            f"Letters: {len(self.columns)} of the training texts, "
            f"{some([repr(x)[1:-1] for x in self.columns], 40)}"
        ]

    def options(self) -> dict[str, object]:
        return {"beam": self.beam}


class TranscriptAccumulator:
    """Computes word and character error rates batch by batch."""

    def __init__(self, task: Transcription):
        self._task, self._rates = task, ErrorRates()

    def update(self, targets, decoded) -> None:
        texts = self._task.texts(decoded)
        for row, text in zip(targets, texts, strict=True):
            self._rates.add(self._task.spell(row), text)

    def result(self) -> dict[str, float]:
        """Returns `wer`, `cer`, and `character_accuracy`, 1 - cer."""
        wer, cer = self._rates.rates()
        return {"character_accuracy": 1 - cer, "wer": wer, "cer": cer}

    def worst(self) -> list[tuple[int, dict]]:
        """Returns positions and texts of those with the most errors."""
        return self._rates.worst(WORST)


def plain_text(text: str) -> str:
    """Normalises a text to NFC with single spaces between words."""
    return " ".join(nfc(text).split())


def collapse_row(frames: np.ndarray) -> np.ndarray:
    """Merges repeated labels of a row of frames and drops blanks."""
    changes = np.diff(frames, prepend=0) != 0
    return frames[changes & (frames != 0)]


def _lengths(outputs):
    if "length" in outputs:
        return tf.cast(outputs["length"], tf.int32)
    count, frames = tf.unstack(tf.shape(outputs["logits"])[:2])
    return tf.fill([count], frames)


def _texts(labelled):
    column = _column(labelled)
    return [plain_text(text) for text in labelled.table.columns[column]]


def _column(labelled):
    table = labelled.table
    if table is None:
        raise ValueError(
            f"transcription needs the text of each of {labelled.examples.name};"
            " put a labels.csv with the columns path and text beside them"
        )
    column = COLUMN if COLUMN in table.columns else None
    if column is None and len(table.columns) == 1:
        (column,) = table.columns
    if column is None:
        raise ValueError(
            f"{table.name} must have a column {COLUMN!r}, or only one besides "
            f"the path; name one by --config.data.label_column. Received: "
            f"{', '.join(map(repr, table.columns))}"
        )
    return column
