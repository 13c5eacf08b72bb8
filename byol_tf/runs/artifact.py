"""A trained model with everything needed to use it."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.data.rows import Batch, batch_of
from byol_tf.files import save_model, sha256, write_json
from byol_tf.layers.graph import functional_graph, rebuild
from byol_tf.layers.parameters import random_twin
from byol_tf.layers.plain import to_plain
from byol_tf.lines import first_line, plural
from byol_tf.modalities.levels import outputs_of
from byol_tf.modalities.registry import load_modality
from byol_tf.modalities.signature import Signature
from byol_tf.runs import description, earlier
from byol_tf.runtime import describe_machine
from byol_tf.tasks import registry
from byol_tf.tasks.task import Task


@dataclasses.dataclass(frozen=True, eq=False)
class Encoder:
    """A trained model with everything needed to use it.

    Attributes:
        model: Keras model from a prepared batch to vectors `[batch, features]`,
            or to outputs of a task by name.
        preprocessor: Keras layer from a batch of stored rows to inputs of
            `model`.
        about: contents of `preprocessor.json`, as JSON values: `modality`,
            `spec`, `sizes`, `crops`, `levels`, `precision`, `sha256`, `data`,
            `config` and more.
        task: None, or the task that defines the model's outputs.
    """

    model: keras.Model
    preprocessor: keras.layers.Layer
    about: Mapping
    task: Task | None = None

    @functools.cached_property
    def modality(self):
        """The modality of its inputs."""
        return load_modality(self.about["modality"])

    @property
    def noun(self) -> str:
        """Word for one row, such as "image"."""
        return self.modality.name

    @property
    def sizes(self) -> Mapping:
        """Parameters of rows and batches, by name."""
        return self.about["sizes"]

    @property
    def spec(self) -> dict[str, tf.TensorSpec]:
        """Specs of a stored row, by name."""
        return description.spec_from_json(self.about["spec"])

    def decode(self, data: bytes | str | os.PathLike) -> np.ndarray:
        """Decodes a file to a stored row, as `spec` says.

        Args:
            data: path of the file, or its bytes.

        Raises:
            Unreadable: if the file cannot be read.
            ValueError: if the size of stored rows is unknown, see
                `load_encoder`, or there are no such files.
        """
        if self.sizes.get("image_size") == 0:
            raise ValueError(earlier.NO_IMAGE_SIZE)
        return self.modality.decode_row(data, self.sizes)

    def batch(self, rows: Sequence) -> Batch:
        """Stacks stored rows for `preprocessor`; see `batch_of`."""
        if isinstance(rows, np.ndarray) and self.sizes.get("whole"):
            return self.modality.as_wanted(rows, self.sizes)
        if isinstance(rows, np.ndarray):
            return rows
        return batch_of(rows, self.spec)

    @property
    def cut(self) -> Callable | None:
        """Returns how a file becomes several rows, see `Decoder.cut`."""
        cut = getattr(self.modality, "cut", None)
        return cut and cut(self.sizes)

    def origin(self, data: bytes | str | os.PathLike):
        """Returns facts to map results back; for an image its `size`."""
        return self.modality.origin(data)

    def inputs(self, form: str) -> Mapping[str, Signature]:
        """Returns signatures of exports, see `modalities.signature.Source`."""
        return self.modality.inputs(self.preprocessor, self.sizes, form)

    def check_rows(self, shape: Sequence[int | None], name: str) -> None:
        """Raises a ValueError if rows `[..., channels]` do not fit."""
        channels = self.sizes.get("channels")
        if channels not in (None, *shape[-1:]):
            raise ValueError(
                f"the encoder takes {channels} channels, but the rows of "
                f"{name} have {shape[-1]}; convert them with "
                f"--config.data.channels={channels}, or choose another encoder"
            )

    @functools.cached_property
    def level_layers(self) -> dict[str, tuple[str, int]]:
        """Returns name of the layer and stride, by level."""
        if "levels" not in self.about:
            return self.modality.levels(self.model)
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
        """Makes a model from prepared batches to a dict of levels by name.

        Args:
            *names: names of the levels, at least one.
            input_shape: shape of a prepared row; None: the encoder's own.

        Raises:
            ValueError: if a level is missing, or the shape does not fit.
        """
        return outputs_of(self.model, self.level_layers, names, input_shape)

    @property
    def features(self) -> int | None:
        """Length of a vector; None for a model with outputs by name."""
        shape = self.model.output_shape
        return shape[-1] if isinstance(shape, tuple) else None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, if the model has any."""
        return self.task.columns if self.task else ()

    @property
    def identity(self) -> dict | None:
        """Returns what vectors depend on besides rows; None if unsaved."""
        if "sha256" not in self.about:
            return None
        return {
            "file": self.about["sha256"],
            "weights": description.weights_digest(self.model),
            "preparation": description.options_of(self.preprocessor),
        }

    @property
    def origin_of_vectors(self) -> dict:
        """Returns what identifies files of embeddings."""
        return {
            "encoder": self.about["sha256"],
            "image_size": self.sizes.get("image_size"),
            "size": self.sizes.get("view_size"),
            "channels": self.sizes.get("channels"),
            "crop_fraction": getattr(self.preprocessor, "crop_fraction", 1.0),
        }

    def fresh(self, seed: int) -> "Encoder":
        """Makes it again with random weights; seeds Python, NumPy and Keras."""
        keras.utils.set_random_seed(seed)
        model = random_twin(self.model, self.about.get("architecture"))
        if model.input_shape != self.model.input_shape:  # see `whole`
            model = rebuild(model, input_shape=self.model.input_shape[1:])
        return dataclasses.replace(self, model=model)

    def whole(self, side: int = 0) -> "Encoder":
        """Returns an encoder of whole images, with the same weights.

        Args:
            side: side in pixels of the letterboxed squares; 0: that of the
                encoder.

        Raises:
            ValueError: if the model cannot take images of that size.
        """
        if not hasattr(self.modality, "whole"):
            raise ValueError(
                "this task needs images, but the encoder takes "
                f"{plural(self.noun)}"
            )
        side = side or self.sizes["view_size"]
        layer = self.modality.whole(self.preprocessor, side)
        shape = (side, side, self.model.input_shape[-1])
        model = self.model
        if model.input_shape[1:] != shape:
            try:
                model = rebuild(model, input_shape=shape)
            except ValueError as error:
                raise ValueError(
                    f"the encoder takes no {side}x{side} images: "
                    f"{first_line(error)}; set "
                    f"--config.size={self.sizes['view_size']}"
                ) from error
        encoder = dataclasses.replace(self, model=model, preprocessor=layer)
        return encoder.resized(**self.modality.sizes(shape, preprocessor=layer))

    def sequence(self) -> "Encoder":
        """Returns an encoder of whole rows of any length, same weights.

        Raises:
            ValueError: if rows have no time steps, or the model cannot take
                more steps than it was trained on.
        """
        if not hasattr(self.modality, "sequence"):
            raise ValueError(
                "this task needs sounds, but the encoder takes "
                f"{plural(self.noun)}"
            )
        layer = self.modality.sequence(self.preprocessor)
        shape = (None, *self.model.input_shape[2:])
        model = rebuild(self.model, input_shape=shape)
        return dataclasses.replace(self, model=model, preprocessor=layer)

    def giving(self, output: str) -> "Encoder":
        """Returns it with a single one of its named outputs."""
        model = keras.Model(self.model.input, self.model.output[output])
        return dataclasses.replace(self, model=model)

    def of_rows(
        self, shape: Sequence[int | None], model: keras.Model, task: Task
    ) -> "Encoder":
        """Returns a `model` fine-tuned for `task` on rows `[..., channels]`."""
        name, *_ = self.about["spec"]
        spec = {**self.about["spec"][name], "shape": list(shape)}
        sizes = self.modality.sizes(shape, preprocessor=self.preprocessor)
        sizes = {**self.sizes, **sizes}
        about = {**self.about, "spec": {name: spec}, "sizes": sizes}
        about.pop("architecture", None)  # only for the encoder
        encoder = Encoder(model, self.preprocessor, about, task)
        options = {key: self.sizes.get(key) for key in ("max_pixels", "column")}
        return encoder.resized(**options)

    def resized(self, **sizes) -> "Encoder":
        """Returns it with other sizes, such as `max_pixels`; 0: keep."""
        nonzero = {key: value for key, value in sizes.items() if value}
        return self.with_sizes(**nonzero)

    def with_sizes(self, **sizes) -> "Encoder":
        """Returns it with these sizes."""
        about = {**self.about, "sizes": {**self.sizes, **sizes}}
        return dataclasses.replace(self, about=about)

    def save(
        self, workdir: str | os.PathLike, name: str = "encoder", **about
    ) -> "Encoder":
        """Writes model and description, each atomically.

        Args:
            workdir: the run folder.
            name: name of the model's file, without `.keras`.
            **about: further JSON values.

        Returns:
            The encoder with the written `about`.
        """
        path = pathlib.Path(workdir) / f"{name}.keras"
        about = {**description.architecture_of(self.model), **about}
        plain = dataclasses.replace(self, model=_plain(self.model))
        save_model(plain.model, path)
        full_about = plain.describe(path, **about).about
        return dataclasses.replace(self, about=full_about)

    def describe(self, path: pathlib.Path, **about) -> "Encoder":
        """Writes the JSON file beside a saved model; see `save`."""
        levels = {} if self.task else self.modality.levels(self.model)
        full_about = {
            **self.about,
            **(registry.to_json(self.task) if self.task else {}),
            **about,
            "schema": description.SCHEMA,
            "levels": {
                name: {"layer": layer, "stride": stride}
                for name, (layer, stride) in levels.items()
            },
            "preparation": keras.saving.serialize_keras_object(
                self.preprocessor
            ),
            "features": self.features,
            "precision": description.precision_of(self.model),
            "versions": describe_machine()["versions"],
            "sha256": sha256(path),
        }
        write_json(description.description_of(path), full_about)
        return dataclasses.replace(self, about=full_about)


def _plain(model):
    if functional_graph(model):
        return to_plain(model)
    logging.warning(
        "`%s` is no graph of layers and is saved as it is: it loads only where "
        "its class %s is known to Keras.",
        *(model.name, type(model).__name__),
    )
    return model
