"""Neighbours by an encoder's vectors, against products in float64."""

import types

import keras
import numpy as np

from byol_tf.data.interactions import read_shop
from byol_tf.modalities.history.layer import Histories
from byol_tf.modalities.history.rows import key_of
from byol_tf.systems.recommender import parts
from byol_tf.systems.recommender.past import Past
from tests.support.shops import shop_rows, write_shop


def test_scores_are_those_of_neighbours_by_centred_cosine(tmp_path):
    shop = read_shop(write_shop(tmp_path, *shop_rows(users=30)))
    known = sorted(key_of(item) for item in shop.items[:70])
    keras.utils.set_random_seed(0)
    inputs = keras.Input((len(known),))
    model = keras.Model(inputs, keras.layers.Dense(8, "gelu")(inputs))
    encoder = types.SimpleNamespace(model=model, preprocessor=Histories(known))
    past = Past(shop, len(shop.time))
    method = parts.of_encoder(lambda: encoder, shop.items)
    setting = {"count": 30, "power": 2.0, "half_life": 0.0}
    found = method.fitted(past, setting)(past.rows(np.arange(5)))

    histories = past.matrix().toarray()
    rows = np.zeros((30, len(known)))
    rows[:, [known.index(key_of(i)) for i in shop.items[:70]]] = histories[
        :, :70
    ]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = model(np.float32(rows)).numpy()
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = np.maximum(vectors[:5] @ vectors.T, 0) ** 2
    np.testing.assert_allclose(found, near @ histories, rtol=1e-3, atol=1e-3)
