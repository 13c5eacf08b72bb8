"""Models of a run folder, saved and loaded with what it takes to use them.

`encoder.keras` is a Keras model from prepared batches to vectors, and
`preprocessor.json` says what it takes: modality, rows, preparation, sizes.
Nothing else of the run is needed to use it, neither configuration nor data.

Of a fine-tuned model, `classifier.keras` and `classifier.json` say the same,
and what its outputs mean.
"""

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Mapping

import keras
import tensorflow as tf

from byol_tf.files import loading
from byol_tf.layers.graph import functional_graph
from byol_tf.layers.parameters import unfreeze
from byol_tf.layers.plain import to_fast
from byol_tf.runs import description, earlier
from byol_tf.runs.artifact import Encoder
from byol_tf.tasks import registry

FILE = description.ENCODER


def save_encoder(
    model: keras.Model | None,
    workdir: str | os.PathLike,
    *,
    modality: str,
    spec: Mapping[str, tf.TensorSpec],
    preprocessor: keras.layers.Layer,
    sizes: Mapping,
    **about,
) -> Encoder:
    """Writes `encoder.keras` and `preprocessor.json` into a run folder.

    Args:
        model: from prepared batches to vectors; None for that of the folder.
        workdir: the folder.
        modality: name, see `load_modality`.
        spec: of a stored row, by name.
        preprocessor: from a batch of stored rows to what `model` takes.
        sizes: numbers for decoding and preparation, see `Modality.sizes`.
        **about: further JSON values, such as `title`, `method`, `data`,
            `data_fingerprint`, `crops` and `config`.
    """
    about |= {"modality": modality, "sizes": dict(sizes)}
    about["spec"] = description.spec_to_json(spec)
    if model is not None:
        return Encoder(model, preprocessor, about).save(workdir)
    path = pathlib.Path(workdir) / FILE
    model = keras.saving.load_model(path, compile=False)
    return Encoder(model, preprocessor, about).describe(path)


def load_encoder(
    workdir: str | os.PathLike,
    *,
    size: int = 0,
    image_size: int = 0,
    crop_fraction: float = 1.0,
    modality: str = "",
) -> Encoder:
    """Loads the encoder of a run folder in Keras's safe mode.

    Args:
        workdir: the run folder. In one of release 0.1 or 0.2, what
            `preprocessor.json` would say follows from `config.yaml`.
        size: pixels of a side that images are brought to; 0 as trained.
        image_size: pixels of a side that files are decoded to; 0 as the
            training images were.
        crop_fraction: share of the centre square that is kept.
        modality: name of a modality of one's own that may be imported, see
            `load_named`.

    Raises:
        ValueError: there is none, it cannot be read, makes no vectors or is
            described as another model; a size is unknown or does not fit; or
            its modality would have to be imported.
    """
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        raise ValueError(
            f"no encoder in {workdir} (looked for {FILE}); pretrain one with "
            f"byol_tf pretrain DATA {shlex.quote(str(workdir))}, or wait until "
            "its training ends"
        )
    about = None
    if description.description_of(path).is_file():
        about = description.read_description(path, modality)
    with loading(path):
        model = keras.saving.load_model(path, compile=False)
    _check_vectors(path, model)
    if about is None:
        loaded = _described(path, model, earlier.describe(path, model, size))
    else:
        loaded = _described(path, _fast(model), about)
    unfreeze(loaded.model)  # whatever its own training froze
    return _adapted(loaded, size, crop_fraction).resized(image_size=image_size)


def load_classifier(
    workdir: str | os.PathLike,
    name: str,
    task: str | None = None,
    modality: str = "",
) -> Encoder:
    """Loads what fine-tuning wrote, in Keras's safe mode.

    Args:
        workdir: the run folder.
        name: of the files; if there is but one of another name, that one.
        task: name of a task of one's own that may be imported, see
            `registry.from_json`.
        modality: see `load_encoder`.

    Raises:
        ValueError: there is none, it cannot be read, or its task or modality
            is another one that would have to be imported.
    """
    path = classifier_path(workdir, name)
    about = description.read_description(path, modality)
    file = description.description_of(path)
    with loading(file):
        # A task of one's own registers its layers when it is imported.
        task = registry.from_json(about, trusted=task)
    with loading(path):
        model = keras.saving.load_model(path, compile=False)
    if "schema" in about:
        model = _fast(model)
    else:
        with loading(file):
            about = earlier.describe_classifier(path, about, model)
    return dataclasses.replace(_described(path, model, about), task=task)


def _fast(model):
    return to_fast(model) if functional_graph(model) else model


def _described(path, model, about):
    """A model with what is said of it."""
    with loading(description.description_of(path)):
        loaded = Encoder(model, description.preparation(path, about), about)
        # Whatever cannot be used is found here, not later.
        _ = loaded.spec, loaded.modality, dict(loaded.sizes)
    return loaded


def _check_vectors(path, model):
    taken, given = model.input_shape, model.output_shape
    if not isinstance(given, tuple) or len(given) != 2:
        raise ValueError(
            f"{path} must map prepared batches to vectors [batch, features]. "
            f"Received: {taken} to {given}"
        )


def _adapted(loaded, size, crop_fraction):
    """With a preparation to another size, or of a part of the square."""
    options = {"size": size} if size else {}
    options |= {"crop_fraction": crop_fraction} if crop_fraction != 1.0 else {}
    if not options:
        return loaded
    config = loaded.preprocessor.get_config()
    if not options.keys() <= config.keys():
        raise ValueError(
            f"{', '.join(options)} cannot be chosen: the encoder prepares its "
            f"{loaded.noun}s by {type(loaded.preprocessor).__name__}"
        )
    taken = loaded.model.input_shape[1:3]
    if taken[0] and size not in (0, taken[0]):
        raise ValueError(
            f"size={size} does not fit the encoder, which takes {taken[0]}x"
            f"{taken[1]} images; leave size at 0 to have them resized to that"
        )
    layer = type(loaded.preprocessor)(**{**config, **options})
    changed = dataclasses.replace(loaded, preprocessor=layer)
    return changed.resized(view_size=size)


def classifier_path(workdir: str | os.PathLike, name: str) -> pathlib.Path:
    """Returns the file that `load_classifier` loads; its errors."""
    workdir = pathlib.Path(workdir)
    path = workdir / f"{name}.keras"
    if path.is_file():
        return path
    others = sorted(workdir.glob("classifier*.keras"))
    if len(others) == 1:
        return others[0]
    found = ", ".join(other.name for other in others)
    raise ValueError(
        f"no {path.name} in {workdir}"
        + (f" (there are {found}: choose by --task)" if found else "")
        + f"; fine-tune first: byol_tf finetune {shlex.quote(str(workdir))}"
    )
