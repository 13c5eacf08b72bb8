"""The frozen encoder of a run folder, if it has one."""

import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from byol_tf.evaluation.vectors import unit_rows
from byol_tf.systems.common.heads import Encode

_BATCH = 256  # texts


def encoder_of(run: pathlib.Path) -> Encode | None:
    """Returns a function from texts to unit vectors by a run's encoder.

    Returns:
        The function; None if the folder has no encoder.

    Raises:
        ValueError: if the encoder cannot be loaded.
    """
    if not (run / "encoder.keras").is_file():
        return None
    from byol_tf.runs.encoder import load_encoder  # imports TensorFlow

    loaded = load_encoder(run)
    if loaded.modality.name != "text":
        raise ValueError(
            f"the encoder in {run} takes {loaded.modality.name}s, not texts; "
            "give another folder by --run=RUN"
        )
    return functools.partial(_encode, loaded)


def _encode(loaded, texts: Sequence[str]) -> np.ndarray:
    parts = []
    for start in range(0, len(texts), _BATCH):
        batch = loaded.preprocessor(list(texts[start : start + _BATCH]))
        parts.append(np.asarray(loaded.model(batch, training=False)))
    return unit_rows(np.concatenate(parts).astype(np.float32))
