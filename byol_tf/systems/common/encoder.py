"""The frozen encoder of a run folder, if it has one."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from byol_tf.evaluation.vectors import unit_rows
from byol_tf.runs.artifact import Encoder
from byol_tf.runs.description import weights_digest
from byol_tf.runs.encoder import load_encoder

_BATCH = 256  # texts


class TextEncoder(NamedTuple):
    """Encodes texts as unit vectors by the frozen encoder of a run."""

    loaded: Encoder

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        loaded, parts = self.loaded, []
        for start in range(0, len(texts), _BATCH):
            batch = loaded.preprocessor(list(texts[start : start + _BATCH]))
            parts.append(np.asarray(loaded.model(batch, training=False)))
        return unit_rows(np.concatenate(parts).astype(np.float32))

    @property
    def digest(self) -> str:
        """Identifies the weights."""
        return weights_digest(self.loaded.model)


def encoder_of(run: pathlib.Path) -> TextEncoder | None:
    """Loads the encoder of texts of a run; None if the folder has none.

    Raises:
        ValueError: if the encoder cannot be loaded.
    """
    if not (run / "encoder.keras").is_file():
        return None
    return TextEncoder(load_modality_encoder(run, "text"))


def load_modality_encoder(run: pathlib.Path, modality: str) -> Encoder:
    """Loads the encoder of a run.

    Args:
        run: folder of the run.
        modality: name of the modality that is needed, such as "text".

    Raises:
        ValueError: if it cannot be loaded, or takes something else.
    """
    loaded = load_encoder(run)
    if loaded.modality.name != modality:
        raise ValueError(
            f"the encoder in {run} takes inputs of the kind "
            f"{loaded.modality.name}, not {modality}; give another folder by "
            "--run=RUN"
        )
    return loaded
