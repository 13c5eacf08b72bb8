"""Texts as a modality.

`modalities.contract` documents the methods' arguments and results.
"""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.checks import check_choice, check_integer, in_section
from byol_tf.data.decoder import Columns, Decoder
from byol_tf.modalities.batch import open_batch
from byol_tf.modalities.contract import Raw, refuse_augment
from byol_tf.modalities.text import encoder, hub, inputs
from byol_tf.modalities.text.decode import (
    EXTENSIONS,
    Reading,
    TextError,
    text_of,
)
from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.lsa import directions
from byol_tf.modalities.text.pictures import stripes, written
from byol_tf.modalities.text.tokens import MASKS, PAIR
from byol_tf.modalities.text.views import TextViews, TrainView
from byol_tf.modalities.text.vocabulary import learn
from byol_tf.reports.grids import views_grid
from byol_tf.runtime import dtype_policy

NAME = "text"  # field of a row
LSA = "lsa"  # value of `encoder.weights`
COUNTED = 200_000  # most texts to learn a vocabulary from
DECOMPOSED = 20_000  # most texts to fit LSA to


class TextModality:
    """Implements `modalities.contract.Modality` for texts."""

    name = NAME
    extensions = EXTENSIONS
    strength = ("text.drop", "float", 0.1, 0.7)
    linear = "logistic"  # sparse vectors, few labels; see the contract
    sizes = staticmethod(inputs.sizes)
    decode_row = staticmethod(inputs.decode_row)
    origin = staticmethod(inputs.origin)
    card = staticmethod(inputs.card)
    levels = staticmethod(encoder.levels)
    inputs = staticmethod(inputs.inputs)  # last: it hides the module

    def milder(self, section, row_shape):
        return (("text.drop", 0.3, 0),)

    def decoder(self, section) -> Decoder:
        mask, data = _mask(section), section.data
        return Decoder(
            spec={NAME: tf.TensorSpec((), tf.string)},
            decode=Reading(mask),
            extensions=EXTENSIONS,
            columns=Columns(data.text_column, data.pair_column, PAIR),
            key=mask,
        )

    def plan(self, section, examples, accelerator):
        return open_batch(section, examples.num_examples, 256, NAME)

    def fit(self, examples, section) -> Tokens:
        """Learns the vocabulary of the training texts."""
        options = section.text
        with in_section("text"):
            words = check_integer("words", options.words, 0)
            size = check_integer("vocabulary", options.vocabulary, 1)
        mask = _mask(section)
        vocabulary = learn(_texts(examples, COUNTED), size, mask)
        words = words or vocabulary.words
        logging.info(
            "Vocabulary: %d features of %d texts; %d words of a text are "
            "read (text.vocabulary, text.words).",
            *(len(vocabulary.features), vocabulary.texts, words),
        )
        bag = section.encoder.name == encoder.BAG
        form = "tf_idf" if bag else "ids"
        tokens = Tokens(vocabulary.features, vocabulary.idf, words, mask, form)
        if section.encoder.name != hub.NAME:
            return tokens
        return hub.fit(section.encoder.weights, tokens, options.words)

    def views(self, section, preprocessor) -> TextViews:
        options = section.text
        view_options = {key: options[key] for key in ("drop", "span", "swap")}
        view_options["paired"] = bool(section.data.pair_column)
        with in_section("text"):
            return TextViews(preprocessor, **view_options)

    def crops(self, section):
        return {}

    def train_view(self, preprocessor, crops):
        return TrainView(preprocessor)

    def supervised_augment(self, options):
        refuse_augment(options, "texts")

    def encoder(self, section, preprocessor, row_shape) -> keras.Model:
        options = section.encoder
        if options.name == hub.NAME:
            return hub.make_encoder(section, preprocessor, False)
        return encoder.make_encoder(
            options.name,
            preprocessor.compute_output_shape((None,))[1:],
            preprocessor.size,
            options.widths,
            dtype_policy(section.precision),
        )

    def pretrained(self, section, preprocessor, row_shape, examples=None):
        """Makes the bag with the projection of LSA, or a model of Keras Hub."""
        name, weights = section.encoder.name, section.encoder.weights
        if name == hub.NAME:
            return hub.make_encoder(section, preprocessor, True)
        if weights != LSA or name != encoder.BAG:
            raise ValueError(
                f"there are no weights {weights!r} of the encoder {name!r} of "
                f"texts, only {LSA!r} of {encoder.BAG!r}; to begin with random "
                "ones, set --config.encoder.weights="
            )
        model = self.encoder(section, preprocessor, row_shape)
        (projection,) = model.trainable_variables
        texts = _texts(examples, DECOMPOSED)
        projection.assign(
            directions(preprocessor, texts, projection.shape[1], section.seed)
        )
        return model

    def raw(self, preprocessor, sizes) -> Raw:
        vectors = keras.Input((preprocessor.size,))
        model = keras.Model(vectors, keras.layers.Identity()(vectors))
        return Raw("TF-IDF", model, preprocessor.changed(form="tf_idf"))

    def preview(self, row) -> np.ndarray:
        return written(np.asarray(row).item().decode())

    def thumbnail(self, data, side):
        try:
            return written(text_of(data), side)
        except TextError:
            return None

    def draw_views(self, rows, pair, path) -> None:
        pictures = [
            [self.preview(row) for row in rows],
            *([stripes(view) for view in views] for views in pair),
        ]
        views_grid(*map(np.stack, pictures), path)


def _mask(section):
    names = [n for text in section.data.mask for n in str(text).split(",")]
    with in_section("data"):
        for name in names:
            check_choice("mask", name, sorted(MASKS))
    # In this order, since a number within an address would end it.
    return tuple(name for name in MASKS if name in names)


def _texts(examples, most) -> Iterator[str]:
    """Yields up to `most` texts, evenly spaced."""
    count = examples.num_examples
    index = np.linspace(0, count - 1, min(count, most)).round()
    for row in examples.readable_rows(np.unique(index.astype(int))):
        yield examples.read(row)[NAME].item().decode()


TEXT = TextModality()
