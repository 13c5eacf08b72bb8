"""Saves and loads the models of a run folder.

`encoder.keras` is a Keras model from prepared batches to vectors.
`preprocessor.json` describes its inputs: modality, rows, preparation, sizes.
Neither configuration nor data of the run are needed to use it.

For a fine-tuned model these are `classifier.keras` and `classifier.json`, which
also describes the outputs.
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
from byol_tf.lines import plural
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
        model: from prepared batches to vectors; None: keep the folder's.
        workdir: the folder.
        modality: name, see `load_modality`.
        spec: spec of a stored row, by name.
        preprocessor: from a batch of stored rows to inputs of `model`.
        sizes: parameters of decoding and preparation, see `Modality.sizes`.
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
    """Loads the encoder of a run folder, in Keras' safe mode.

    Args:
        workdir: the run folder. For folders of release 0.1 and 0.2, the
            contents of `preprocessor.json` are derived from `config.yaml`.
        size: side in pixels of the encoder's input; 0: as trained.
        image_size: side in pixels that files are decoded to; 0: as the training
            images.
        crop_fraction: share of the centre square to keep.
        modality: name of your own modality that may be imported, see
            `load_named`.

    Raises:
        ValueError: if there is no encoder, it cannot be read, does not return
            vectors or does not match its description; if a size is unknown or
            does not fit; or if its modality would have to be imported.
    """
    workdir = os.path.expanduser(workdir)
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        # A folder that is no run may hold the data.
        is_run = path.with_name("config.yaml").exists()
        may_be_data = path.parent.exists() and not is_run
        run = "RUN" if may_be_data else shlex.quote(str(workdir))
        raise ValueError(
            f"no encoder in {workdir} (looked for {FILE}); pretrain one with "
            f"byol_tf pretrain DATA {run}, or wait until its training ends"
        )
    about = None
    if description.description_of(path).is_file():
        about = description.read_description(path, modality)
    with loading(path):
        model = keras.saving.load_model(path, compile=False)
    _check_vectors(path, model)
    if about is None:
        encoder = _with_description(
            path, model, earlier.describe(path, model, size)
        )
    else:
        encoder = _with_description(path, _fast(model), about)
    unfreeze(encoder.model)  # layers that its training froze
    return _adapted(encoder, size, crop_fraction).resized(image_size=image_size)


def load_classifier(
    workdir: str | os.PathLike,
    name: str,
    task: str | None = None,
    modality: str = "",
) -> Encoder:
    """Loads a fine-tuned model, in Keras' safe mode.

    Args:
        workdir: the run folder.
        name: name of the files. If there is only one, of another name, that one
            is loaded.
        task: name of your own task that may be imported, see
            `registry.from_json`.
        modality: see `load_encoder`.

    Raises:
        ValueError: if there is none, it cannot be read, or another task or
            modality would have to be imported.
    """
    path = classifier_path(workdir, name)
    about = description.read_description(path, modality)
    file = description.description_of(path)
    with loading(file):
        # A user's own task registers its layers when imported.
        task = registry.from_json(about, trusted=task)
    with loading(path):
        model = keras.saving.load_model(path, compile=False)
    if "schema" in about:
        model = _fast(model)
    else:
        with loading(file):
            about = earlier.describe_classifier(path, about, model)
    return dataclasses.replace(_with_description(path, model, about), task=task)


def _fast(model):
    return to_fast(model) if functional_graph(model) else model


def _with_description(path, model, about):
    """Joins a model with its description."""
    with loading(description.description_of(path)):
        encoder = Encoder(model, description.preparation(path, about), about)
        # Fail here rather than later if anything is unusable.
        _ = encoder.spec, encoder.modality, dict(encoder.sizes)
    return encoder


def _check_vectors(path, model):
    input_shape, output_shape = model.input_shape, model.output_shape
    if not isinstance(output_shape, tuple) or len(output_shape) != 2:
        raise ValueError(
            f"{path} must map prepared batches to vectors [batch, features]. "
            f"Received: {input_shape} to {output_shape}"
        )


def _adapted(encoder, size, crop_fraction):
    """Changes the preparation to another size, or part of the square."""
    options = {"size": size} if size else {}
    options |= {"crop_fraction": crop_fraction} if crop_fraction != 1.0 else {}
    if not options:
        return encoder
    config = encoder.preprocessor.get_config()
    if not options.keys() <= config.keys():
        raise ValueError(
            f"{', '.join(options)} cannot be set: the encoder prepares its "
            f"{plural(encoder.noun)} by {type(encoder.preprocessor).__name__}"
        )
    input_size = encoder.model.input_shape[1:3]
    if input_size[0] and size not in (0, input_size[0]):
        raise ValueError(
            f"size={size} does not fit the encoder, which takes "
            f"{input_size[0]}x{input_size[1]} images; leave size at 0 to have "
            "them resized to that"
        )
    layer = type(encoder.preprocessor)(**{**config, **options})
    adapted = dataclasses.replace(encoder, preprocessor=layer)
    return adapted.resized(view_size=size)


def classifier_path(workdir: str | os.PathLike, name: str) -> pathlib.Path:
    """Returns the file that `load_classifier` loads, or raises its errors."""
    workdir = pathlib.Path(workdir)
    path = workdir / f"{name}.keras"
    if path.is_file():
        return path
    others = sorted(workdir.glob("classifier*.keras"))
    if len(others) == 1:
        return others[0]
    names = ", ".join(other.name for other in others)
    raise ValueError(
        f"no {path.name} in {workdir}"
        + (f" (there are {names}: choose by --task)" if names else "")
        + f"; fine-tune first: byol_tf finetune {shlex.quote(str(workdir))}"
    )
