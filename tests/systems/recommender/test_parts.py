"""What a recommender is put together from."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.interactions import read_shop
from byol_tf.modalities.text.encoder import BAG, make_encoder
from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.vocabulary import learn
from byol_tf.runs.encoder import save_encoder
from byol_tf.systems.recommender.mix import Plan
from byol_tf.systems.recommender.parts import BYOL, ENCODED, parts_of, save
from byol_tf.systems.recommender.past import Past
from tests.support.runs import make_run
from tests.support.shops import shop_rows, write_shop


@pytest.fixture
def shop(tmp_path):
    return read_shop(write_shop(tmp_path / "data", *shop_rows(users=30)))


def test_an_encoder_of_texts_stands_beside_tf_idf(shop, tmp_path):
    found = learn(shop.texts, 500, ())
    tokens = Tokens(found.features, found.idf, found.words, (), "tf_idf")
    shape = tokens.compute_output_shape((None,))[1:]
    keras.utils.set_random_seed(0)
    model = make_encoder(BAG, shape, tokens.size, (8,), "float32")
    spec = {"text": tf.TensorSpec((), tf.string)}
    about = {"modality": "text", "spec": spec, "sizes": {}}
    save_encoder(model, tmp_path / "run", preprocessor=tokens, **about)

    plain = parts_of(shop, tmp_path / "none")
    both = parts_of(shop, tmp_path / "none", str(tmp_path / "run"))
    vectors = both.methods[ENCODED].fit(None).__closure__[0].cell_contents
    wanted = np.array(model(tokens(list(shop.texts))))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, wanted, rtol=1e-4, atol=1e-5)
    assert both.vectors.shape[1] == plain.vectors.shape[1] + 8
    lengths = np.asarray(both.vectors.multiply(both.vectors).sum(axis=1))
    np.testing.assert_allclose(lengths, 1, rtol=1e-4)


def test_a_folder_without_an_encoder_of_texts_is_named(shop, tmp_path):
    with pytest.raises(ValueError, match=r"encoder\.keras.*byol_tf pretrain"):
        parts_of(shop, tmp_path, str(tmp_path / "none"))


def test_the_encoder_of_texts_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Plan({}, {}, texts="texts"), tmp_path / "run")
    kept = json.loads((tmp_path / "run/recommender/plan.json").read_text())
    assert kept["texts"] == str(tmp_path / "texts")


def test_an_encoder_of_another_kind_is_refused(shop, tmp_path):
    make_run(tmp_path)
    method = parts_of(shop, tmp_path / "run").methods[BYOL]
    with pytest.raises(ValueError, match="kind image, not history"):
        method.fit(Past(shop, len(shop.time)), half_life=0.0)
