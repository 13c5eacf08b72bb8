"""Both tokenisers give the same ids, whatever the bytes."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.tokens import (
    MASKS,
    PAIR,
    Tokenizer,
    masked,
    words_of,
)
from byol_tf.modalities.text.vocabulary import SHARE, learn

TEXTS = [
    "My card has not arrived yet, where is it?",
    "Where's my CARD? I paid €12.50 on 3/4.",
    "我的卡在哪里\uff1f我的卡还没到",
    "カードが届きません。カードはどこ",
    "Γιατί δεν ήρθε η κάρτα μου; ΚΆΡΤΑΣ κάρτας",
    "Straße und STRASSE; İstanbul, \u0131stanbul",
    "naïve café e\u0301te\u0301 \U0001f600\U0001f600 ok",
    "كارت والبطاقة ٣٤٥",
    "a" * 50 + " b " + "c" * 16 + " " + "d" * 17,
    "",
    " \t\n ",
    "first half" + PAIR + "second half",
]


def fuzz(count):
    """Texts of many scripts, controls and damaged bytes."""
    rng = np.random.default_rng(0)
    blocks = [(0, 0x80), (0x80, 0x250), (0x370, 0x530), (0x590, 0x700)]
    blocks += [(0xE00, 0x1100), (0x2000, 0x2C00), (0x3000, 0x3200)]
    blocks += [(0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xFE00, 0xFFFF)]
    blocks += [(0x1F300, 0x1F700), (0x20000, 0x20100)]
    for number in range(count):
        chosen = rng.integers(len(blocks), size=3)
        codes = [
            rng.integers(*blocks[chosen[n % 3]]) if n % 7 else 32
            for n in range(rng.integers(40))
        ]
        text = "".join(map(chr, codes)).encode()
        if number % 4 == 0:
            place = rng.integers(len(text) + 1)
            text = text[:place] + rng.bytes(3) + text[place:]
        yield text


@pytest.fixture(scope="module")
def vocabulary():
    return learn([*TEXTS, *TEXTS], 2000)


@pytest.mark.parametrize("mask", [(), tuple(MASKS)])
def test_both_tokenisers_give_the_same_ids(vocabulary, mask):
    known = vocabulary.features, vocabulary.idf
    layer, plain = Tokens(*known, 12, mask), Tokenizer(known[0], 12, mask)
    texts = [*(text.encode() for text in TEXTS), *fuzz(1500)]
    found = layer(tf.constant(texts)).numpy()
    expected = np.array([plain(text) for text in texts])
    wrong = np.flatnonzero((found != expected).any(axis=(1, 2)))
    assert not len(wrong), texts[wrong[0]]
    assert (found > 1).sum() > 500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 10% OFF!", ["it", "'", "s", "10", "%", "off", "!"]),
        ("snake_case", ["snake", "_", "case"]),
        ("卡没到x1", ["卡", "没", "到", "x1"]),
        ("a" * 20, ["a" * 16, "a" * 4]),
        ("x\u200by\u3000z\x00", ["x", "y", "z"]),
        ("", []),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


def test_what_is_personal_is_masked():
    text = "Ann.B+x@mail.co.uk, +49 (0)170 123-4567, pay 1,200.50 by 12:30"
    assert masked(text, ["emails", "phones", "numbers"]).split() == [
        *("maskedemail", ",", "maskedphone", ",", "pay", "maskednumber"),
        *("by", "maskednumber"),
    ]
    assert masked("ab 12", []) == "ab 12"


def test_a_vocabulary_has_what_is_in_two_texts():
    found = learn(["go home now", "go home", "stay"], 100)
    assert found.texts == 3 and found.words == 8
    assert {"=go", "=home", "go home", "<go", "me>"} <= {*found.features}
    assert not {"=now", "=stay", "home now"} & {*found.features}
    idf = dict(zip(found.features, found.idf, strict=True))
    for feature, share in (("<go", 1), ("=go", SHARE), ("go home", SHARE)):
        np.testing.assert_allclose(
            idf[feature], share * (np.log(4 / 3) + 1), atol=1e-6
        )


def test_a_vocabulary_keeps_the_most_frequent():
    found = learn(["go home", "go home", "go away"], 3)
    assert found.features == ["<go", "=go", "go>"]


def test_a_vocabulary_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no word or part of a word"):
        learn(["one", "two", "..."], 100)


def test_tf_idf_is_that_of_a_sum_by_hand(vocabulary):
    layer = Tokens(["=a", "<a>", "=b", "a b"], [1.0, 2.0, 3.0, 4.0], 8)
    rows = layer.changed(form="tf_idf")(tf.constant(["a b a", "b"])).numpy()
    # Nothing, unknown, then the vocabulary; "b a" is not in it.
    first = np.array([0, 0, 2 * 1, 2 * 2, 3, 4])
    np.testing.assert_allclose(rows[0], first / np.linalg.norm(first))
    np.testing.assert_allclose(rows[1], [0, 0, 0, 0, 1, 0])


def test_ids_that_are_merged_give_the_same(vocabulary):
    layer = Tokens(vocabulary.features, vocabulary.idf, 12, form="tf_idf")
    first = layer(tf.constant(TEXTS)).numpy()
    ids = tf.cast(layer.changed(form="ids")(tf.constant(TEXTS)), tf.int32)
    np.testing.assert_allclose(layer.prepared(ids), first, atol=1e-6)
    np.testing.assert_allclose(layer.prepared(ids, True), first, atol=1e-6)


@pytest.mark.parametrize("texts", [["\u200b"], ["", " "], []])
def test_a_batch_without_a_word_has_no_ids(vocabulary, texts):
    layer = Tokens(vocabulary.features, vocabulary.idf, 12)
    found = layer(tf.constant(texts, tf.string))
    assert found.shape == (len(texts), 12, 18) and not found.numpy().any()
