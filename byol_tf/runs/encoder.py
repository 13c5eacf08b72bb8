"""A model in a run folder with all that it takes to use it.

`encoder.keras` is a Keras model from prepared batches to vectors, and
`preprocessor.json` says what it takes: modality, rows, preparation, sizes.
Nothing else of the run is needed to use it, neither configuration nor data.

Of a fine-tuned model, `classifier.keras` and `classifier.json` say the same,
and what its outputs mean.
"""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.files import loading, read_json, save_model, sha256, write_json
from byol_tf.layers.plain import to_fast, to_plain
from byol_tf.modalities.levels import find_levels, outputs_of
from byol_tf.modalities.registry import load_modality
from byol_tf.modalities.signature import Signature
from byol_tf.runs import earlier
from byol_tf.runtime import describe_machine, set_seed
from byol_tf.tasks import registry
from byol_tf.tasks.task import Task

NAME = "encoder"
FILE = f"{NAME}.keras"
PREPROCESSOR = "preprocessor.json"
SCHEMA = 1  # of the JSON files; a later one may not be understood
_NEEDED = ("modality", "spec", "preparation", "sizes", "sha256")


@dataclasses.dataclass(frozen=True, eq=False)
class Encoder:
    """A trained model with all that it takes to use it.

    Attributes:
        model: Keras model from a prepared batch to vectors
            `[batch, features]`.
        preprocessor: Keras layer from a batch of stored rows to what `model`
            takes.
        about: what `preprocessor.json` holds, as JSON values: `modality`,
            `spec`, `sizes`, `crops`, `levels`, `precision`, `sha256`, `data`,
            `config` and more.
        task: None, or what the model's outputs mean.
    """

    model: keras.Model
    preprocessor: keras.layers.Layer
    about: Mapping
    task: Task | None = None

    # ---- what it takes ------------------------------------------------

    @functools.cached_property
    def modality(self):
        return load_modality(self.about["modality"])

    @property
    def noun(self) -> str:
        """What one row is, for texts: "image"."""
        return self.modality.name

    @property
    def sizes(self) -> Mapping[str, int]:
        """Numbers that rows and batches follow from, by name."""
        return self.about["sizes"]

    @property
    def spec(self) -> dict[str, tf.TensorSpec]:
        """Of a stored row, by name."""
        return {
            name: tf.TensorSpec(one["shape"], one["dtype"], name)
            for name, one in self.about["spec"].items()
        }

    def decode(self, data: bytes | str | os.PathLike) -> np.ndarray:
        """A stored row of a file.

        Args:
            data: path of the file, or its bytes.

        Returns:
            As `spec` says; of an image uint8
            `[image_size, image_size, channels]`.

        Raises:
            Unreadable: the file cannot be read.
            ValueError: the size of stored rows is not known, see
                `load_encoder`, or there are no such files.
        """
        if not self.sizes.get("image_size"):
            raise ValueError(earlier.NO_IMAGE_SIZE)
        return self.modality.decode_row(data, self.sizes)

    def origin(self, data: bytes | str | os.PathLike):
        """What results are turned back by, by name; of an image its `size`."""
        return self.modality.origin(data)

    def inputs(self, form: str) -> dict[str, Signature]:
        """Ways to feed an export, see `modalities.signature.Source`."""
        return self.modality.inputs(self.preprocessor, self.sizes, form)

    def check_rows(self, shape: tuple[int, ...], name: str) -> None:
        """Raises a ValueError if rows of another set do not fit.

        Args:
            shape: of a row, channels last.
            name: of the set, for messages.
        """
        channels = self.model.input_shape[-1]
        if channels not in (None, shape[-1]):
            raise ValueError(
                f"the encoder takes {channels} channels, but the rows of "
                f"{name} have {shape[-1]}; convert them with "
                f"--config.data.channels={channels}, or choose another encoder"
            )

    # ---- what it gives ------------------------------------------------

    @functools.cached_property
    def level_layers(self) -> dict[str, tuple[str, int]]:
        """Name of the layer and stride of each level, by the level's name."""
        if "levels" not in self.about:
            return find_levels(self.model)
        return {
            name: (level["layer"], level["stride"])
            for name, level in self.about["levels"].items()
        }

    @property
    def levels(self) -> dict[str, int]:
        """Stride of each level by name, such as `{"P2": 4, "P3": 8}`."""
        return {name: stride for name, (_, stride) in self.level_layers.items()}

    def outputs_of(
        self, *names: str, input_shape: Sequence[int | None] | None = None
    ) -> keras.Model:
        """A model from prepared batches to levels, see `levels.outputs_of`.

        Args:
            *names: of the levels, at least one.
            input_shape: `(height, width, channels)` of what it takes, or None
                for the encoder's own.

        Returns:
            A model whose output is a dict of feature maps by name.

        Raises:
            ValueError: a level is missing, or the shape does not fit.
        """
        return outputs_of(self.model, self.level_layers, names, input_shape)

    @property
    def features(self) -> int | None:
        """Length of a vector; None of a model with outputs by name."""
        shape = self.model.output_shape
        return shape[-1] if isinstance(shape, tuple) else None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, if the model tells them apart."""
        return self.task.columns if self.task else ()

    # ---- which one it is ----------------------------------------------

    @property
    def identity(self) -> dict | None:
        """What vectors follow from besides rows; None of an unsaved model."""
        if "sha256" not in self.about:
            return None
        return {
            "file": self.about["sha256"],
            "weights": weights_digest(self.model),
            "preparation": _options(self.preprocessor),
        }

    @property
    def origin_of_vectors(self) -> dict:
        """The same for files of embeddings, without the weights."""
        return {
            "encoder": self.about["sha256"],
            "image_size": self.sizes.get("image_size"),
            "size": self.sizes.get("view_size"),
            "channels": self.sizes.get("channels"),
            "crop_fraction": getattr(self.preprocessor, "crop_fraction", 1.0),
        }

    # ---- others of its kind -------------------------------------------

    def giving(self, output: str) -> "Encoder":
        """With one of its outputs by name as the only one."""
        model = keras.Model(self.model.input, self.model.output[output])
        return dataclasses.replace(self, model=model)

    def fresh(self, seed: int) -> "Encoder":
        """As if it had never been trained; see `fresh_encoder`."""
        return dataclasses.replace(self, model=fresh_encoder(self.model, seed))

    def of_rows(
        self, shape: Sequence[int], model: keras.Model, task: Task
    ) -> "Encoder":
        """A model that was fine-tuned on rows of a shape.

        Args:
            shape: of a stored row; of an image
                `(height, width, channels)`.
            model: to the task's predictions.
            task: what the predictions mean.
        """
        name, *_ = self.about["spec"]
        spec = {**self.about["spec"][name], "shape": list(shape)}
        sizes = {**self.sizes, **self.modality.sizes(shape)}
        about = {**self.about, "spec": {name: spec}, "sizes": sizes}
        return Encoder(model, self.preprocessor, about, task)

    def resized(self, **sizes: int) -> "Encoder":
        """With other sizes, such as `max_pixels`; 0 keeps what there is."""
        given = {key: value for key, value in sizes.items() if value}
        about = {**self.about, "sizes": {**self.sizes, **given}}
        return dataclasses.replace(self, about=about)

    def save(
        self, workdir: str | os.PathLike, name: str = NAME, **about
    ) -> "Encoder":
        """Writes the model and what is known of it, each whole or not at all.

        Args:
            workdir: the run folder.
            name: of the model's file, without `.keras`.
            **about: further JSON values.

        Returns:
            The encoder with what was written as `about`.
        """
        path = pathlib.Path(workdir) / f"{name}.keras"
        plain = dataclasses.replace(self, model=to_plain(self.model))
        save_model(plain.model, path)
        written = plain.describe(path, **about).about
        return dataclasses.replace(self, about=written)

    def describe(self, path: pathlib.Path, **about) -> "Encoder":
        """Writes the JSON file beside a saved model; see `save`."""
        levels = find_levels(self.model) if self.task is None else {}
        written = {
            **self.about,
            **(registry.to_json(self.task) if self.task else {}),
            **about,
            "schema": SCHEMA,
            "levels": {
                name: {"layer": layer, "stride": stride}
                for name, (layer, stride) in levels.items()
            },
            "preparation": keras.saving.serialize_keras_object(
                self.preprocessor
            ),
            "features": self.features,
            "precision": _precision(self.model),
            "versions": describe_machine()["versions"],
            "sha256": sha256(path),
        }
        write_json(_description(path), written)
        return dataclasses.replace(self, about=written)


def save_encoder(
    model: keras.Model,
    workdir: str | os.PathLike,
    *,
    modality: str,
    spec: Mapping[str, tf.TensorSpec],
    preprocessor: keras.layers.Layer,
    sizes: Mapping[str, int],
    **about,
) -> Encoder:
    """Writes `encoder.keras` and `preprocessor.json` into a run folder.

    Args:
        model: from prepared batches to vectors.
        workdir: the folder.
        modality: name, see `load_modality`.
        spec: of a stored row, by name.
        preprocessor: from a batch of stored rows to what `model` takes.
        sizes: numbers that decoding and preparation follow from: of images
            `image_size` (of a stored one), `image_shape`, `channels`,
            `view_size` and `max_pixels`.
        **about: further JSON values, such as `title`, `method`, `data`,
            `data_fingerprint`, `crops` and `config`.
    """
    about = _about(modality=modality, spec=spec, sizes=sizes, **about)
    return Encoder(model, preprocessor, about).save(workdir)


def describe_encoder(workdir: str | os.PathLike, **about) -> Encoder:
    """Writes `preprocessor.json` beside an `encoder.keras` that is there.

    Args:
        workdir: the run folder.
        **about: arguments of `save_encoder`, from `modality` on.
    """
    path, preprocessor = pathlib.Path(workdir) / FILE, about.pop("preprocessor")
    model = keras.saving.load_model(path, compile=False)
    return Encoder(model, preprocessor, _about(**about)).describe(path)


def _about(*, modality, spec, sizes, **about):
    spec = {
        name: {"shape": one.shape.as_list(), "dtype": one.dtype.name}
        for name, one in spec.items()
    }
    return {"modality": modality, "spec": spec, "sizes": dict(sizes), **about}


def load_encoder(
    workdir: str | os.PathLike,
    *,
    size: int = 0,
    image_size: int = 0,
    crop_fraction: float = 1.0,
) -> Encoder:
    """Loads the encoder of a run folder in Keras's safe mode.

    Args:
        workdir: the run folder. One of release 0.1 or 0.2 has no
            `preprocessor.json`; then what it says follows from `config.yaml`.
        size: pixels of a side that images are brought to; 0 as trained.
        image_size: pixels of a side that files are decoded to; 0 as the
            training images were.
        crop_fraction: share of the centre square that is kept.

    Raises:
        ValueError: there is none, it cannot be read, it does not make vectors,
            what is said of it is of another model, or a size is not known or
            does not fit.
    """
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        raise ValueError(
            f"no encoder in {workdir} (looked for {FILE}); pretrain one with "
            f"python train.py --config=configs/quickstart.py "
            f"--workdir={workdir}, or wait until its training ends"
        )
    with loading(path):
        model = keras.saving.load_model(path, compile=False)
    _check_vectors(path, model)
    file = _description(path)
    if file.is_file():
        loaded = _described(path, to_fast(model), _read(file))
    else:
        loaded = _described(path, model, earlier.describe(path, model, size))
    return _adapted(loaded, size, crop_fraction).resized(image_size=image_size)


def load_classifier(
    workdir: str | os.PathLike, name: str, task: str | None = None
) -> Encoder:
    """Loads what fine-tuning wrote, in Keras's safe mode.

    Args:
        workdir: the run folder.
        name: of the files. If there is none of that name, but one of another,
            that one is taken.
        task: name of a task of one's own that may be imported, see
            `registry.from_json`.

    Raises:
        ValueError: there is none, it cannot be read, or its task is another
            one that would have to be imported.
    """
    path = _classifier_path(pathlib.Path(workdir), name)
    file = _description(path)
    about = _read(file)
    with loading(file):
        # A task of one's own registers its layers when it is imported.
        task = registry.from_json(about, trusted=task)
    with loading(path):
        model = keras.saving.load_model(path, compile=False)
    if "schema" not in about:
        with loading(file):
            about = earlier.describe_classifier(path, about, model)
    else:
        model = to_fast(model)
    return dataclasses.replace(_described(path, model, about), task=task)


# ---- models alone -----------------------------------------------------


def file_digest(workdir: str | os.PathLike) -> str:
    """SHA-256 of the encoder's file, in hex digits."""
    return sha256(pathlib.Path(workdir) / FILE)


def weights_digest(encoder: keras.Model) -> str:
    """SHA-256 of the weights' values, in hex digits."""
    digest = hashlib.sha256()
    for weight in encoder.weights:
        value = weight.value.numpy()
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def fresh_encoder(encoder: keras.Model, seed: int) -> keras.Model:
    """An encoder of the same architecture, as if it had never been trained.

    Args:
        encoder: any Keras model that can be made from its configuration.
        seed: of the weights; seeds Python, NumPy and TensorFlow as well.
    """
    set_seed(seed)
    return type(encoder).from_config(encoder.get_config())


# ---- pieces -----------------------------------------------------------


def _description(path):
    """The JSON file beside a model's."""
    if path.name == FILE:
        return path.with_name(PREPROCESSOR)
    return path.with_suffix(".json")


def _read(file):
    with loading(file):
        about = read_json(file)
        if not isinstance(about, dict):
            raise ValueError(
                f"it must hold a JSON object. Received: {type(about).__name__}"
            )
        if about.get("schema", SCHEMA) != SCHEMA:
            raise ValueError(
                f"its schema must be {SCHEMA}. Received: {about['schema']!r}"
            )
    return about


def _described(path, model, about):
    """A model with what is said of it, if that is of this model."""
    with loading(_description(path)):
        missing = [key for key in _NEEDED if key not in about]
        if missing:
            raise ValueError(f"it does not say {', '.join(missing)}")
        if about["sha256"] != sha256(path):
            raise ValueError(
                f"it describes another model than {path.name} (SHA-256 "
                f"{str(about['sha256'])[:12]}...); copy both from one folder"
            )
        layer = keras.saving.deserialize_keras_object(about["preparation"])
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError("its preparation must be a Keras layer")
        loaded = Encoder(model, layer, about)
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
    options = {"size": size, "crop_fraction": crop_fraction}
    usual = {"size": 0, "crop_fraction": 1.0}
    options = {k: v for k, v in options.items() if v != usual[k]}
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


def _precision(model):
    """Name of the policy of its last layer with weights."""
    policies = [x.dtype_policy.name for x in model.layers if x.weights]
    return policies[-1] if policies else "float32"


def _options(layer):
    """Its configuration as JSON values, without its name."""
    config = layer.get_config()
    config.pop("name", None)
    return json.loads(json.dumps(config))


def _classifier_path(workdir, name):
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
        + f"; fine-tune first: python finetune.py --workdir={workdir}"
    )
