"""The encoder of texts that begins with the directions of their TF-IDF."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.jobs.pretrain.start import starting_encoder
from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.lsa import directions
from byol_tf.modalities.text.modality import TEXT
from byol_tf.modalities.text.tokens import PAIR
from byol_tf.modalities.text.vocabulary import learn
from configs import base

WORDS = ["card", "bank", "pin", "cash", "train", "seat", "late", "lost", "my"]
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(WORDS, 5)) for _ in range(60)]


def tokens_of(texts):
    found = learn(texts, 200)
    return Tokens(found.features, found.idf, found.words, form="tf_idf")


def configured(**fields):
    config = base.get_config()
    config.update_from_flattened_dict(
        {
            "modality": "text",
            "encoder.name": "bag",
            "encoder.weights": "lsa",
            "encoder.widths": (6,),
            **fields,
        }
    )
    return config


def test_directions_are_those_of_a_whole_decomposition():
    tokens = tokens_of(TEXTS)
    rows = tokens(tf.constant(TEXTS)).numpy().astype(np.float64)
    _, sizes, expected = np.linalg.svd(rows, full_matrices=False)
    found = directions(tokens, TEXTS, 4, seed=0)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-5)
    # They hold as much of the vectors as any four directions can.
    held = np.linalg.norm(rows @ found, axis=0)
    np.testing.assert_allclose(held, sizes[:4], rtol=1e-3)
    np.testing.assert_allclose(np.abs(expected[0] @ found[:, 0]), 1, rtol=1e-3)


def test_both_texts_of_a_row_are_used():
    pairs = [PAIR.join(TEXTS[n : n + 2]) for n in range(0, 60, 2)]
    tokens = tokens_of(TEXTS)
    np.testing.assert_array_equal(
        directions(tokens, pairs, 4, seed=0),
        directions(tokens, TEXTS, 4, seed=0),
    )


def test_directions_that_texts_are_too_few_for_are_zero():
    found = directions(tokens_of(TEXTS), TEXTS[:3], 5, seed=0)
    assert found[:, :3].any(axis=0).all() and not found[:, 3:].any()


def test_a_run_begins_with_them_and_keeps_them(tmp_path):
    config = configured()
    rows = np.array([text.encode() for text in TEXTS], object)
    examples = Examples(
        rows,
        np.full(60, -1, np.int32),
        spec=TEXT.decoder(config).spec,
    )
    tokens = TEXT.fit(examples, config)

    def made(texts):
        return starting_encoder(
            config,
            tmp_path,
            lambda of: TEXT.encoder(of, tokens, ()),
            make_pretrained=lambda of: TEXT.pretrained(of, tokens, (), texts),
        )

    (found,) = made(examples).get_weights()
    np.testing.assert_allclose(
        found, directions(tokens, TEXTS, 6, config.seed), atol=1e-6
    )
    keras.utils.set_random_seed(9)
    (again,) = made(None).get_weights()  # of the run folder, not of texts
    np.testing.assert_array_equal(again, found)


def test_other_encoders_begin_with_random_weights():
    config = configured(**{"encoder.name": "text_small"})
    with pytest.raises(ValueError, match=r"set --config\.encoder\.weights="):
        TEXT.pretrained(config, tokens_of(TEXTS), (), None)


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    config = configured(**{"encoder.name": "keras_hub"})
    with pytest.raises(ValueError, match=r"pip install 'byol-tf\[hub\]'"):
        TEXT.pretrained(config, tokens_of(TEXTS), (), None)
