"""Classifiers of texts: they learn, and say how sure they are."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from byol_tf.systems.common import heads
from byol_tf.systems.common.heads import Head, LabelledTexts

COLOURS, PETS = ["red", "green", "blue", "pink"], ["cat", "dog", "bird", "fish"]


def texts(words, count=12):
    pairs = [(words[i % 4], words[(i + i // 4 + 1) % 4]) for i in range(count)]
    return [f"i like {a} and {b}" for a, b in pairs]


@pytest.fixture(scope="module")
def parts():
    rows = texts(COLOURS) + texts(PETS)
    return heads.split(rows, ["colour"] * 12 + ["pet"] * 12, 0.25, seed=1)


def choose(parts, **options):
    return heads.choose_head(
        *parts, shapes=("plain",), strengths=(1.0,), **options
    )


def test_a_split_of_labels_with_one_row_each_is_refused():
    with pytest.raises(ValueError, match="each of the 2 labels has one row"):
        heads.split(["a", "b"], ["x", "y"], 0.25, seed=3)


def test_a_split_leaves_one_of_each_label_to_fit(caplog):
    fit, held = heads.split(list("abcd"), ["x", "x", "x", "rare"], 0.9, seed=3)
    assert "one row: 1 of 2, such as 'rare'" in caplog.text
    assert set(fit.labels) == {"x", "rare"} and held.labels == ["x", "x"]
    assert sorted(fit.texts + held.texts) == list("abcd")


def test_it_learns_and_says_how_sure_it_is(parts):
    head, strength = choose(parts)
    head = heads.fit_again(head, strength, *parts)
    names, sure = head.predict(["blue and pink", "a dog"])
    assert names.tolist() == ["colour", "pet"] and (sure > 0.5).all()
    assert np.allclose(head.probabilities(["green", "zzz"]).sum(1), 1)


def test_it_comes_back_from_its_arrays(parts):
    head, _ = choose(parts)
    again = Head.of_arrays(head.arrays(), None)
    asked = ["a fish", "some red", ""]
    assert np.allclose(head.probabilities(asked), again.probabilities(asked))


def test_an_encoder_is_taken_where_it_helps():
    names = ["x", "y"] * 8
    rows = [f"word{n // 2} same" for n in range(16)]  # say nothing
    labels = dict(enumerate(names))
    rows = [f"{'a' * (n + 1)} {row}" for n, row in enumerate(rows)]
    numbers = {row: n for n, row in enumerate(rows)}

    def encode(texts):
        signs = [1.0 if labels[numbers[t]] == "x" else -1.0 for t in texts]
        return np.array(signs)[:, None]

    parts = (
        LabelledTexts(rows[:10], names[:10]),
        LabelledTexts(rows[10:], names[10:]),
    )
    head, _ = choose(parts, encode=encode)
    assert head.encode is encode
    assert head.predict(rows[10:])[0].tolist() == names[10:]


def test_ratios_add_a_classifier_of_weighted_features(parts):
    plain, strength = choose(parts)
    found = heads.fit_again(plain, strength, *parts, ratios=True)
    again = heads.fit_again(plain, strength, *parts)
    rows = found.tfidf.rows(part_texts := parts[0].texts + parts[1].texts)
    own = np.array(parts[0].labels + parts[1].labels) == "pet"
    dense = rows.toarray().astype(np.float64)
    shares = [dense[chosen].sum(0) + 0.1 for chosen in (own, ~own)]
    shares = [share / share.sum() for share in shares]
    factors = np.abs(np.log(shares[0]) - np.log(shares[1]))
    model = LinearSVC(C=strength, class_weight="balanced", tol=1e-6)
    model.fit(dense * factors, own)
    expected = again.weights[:, 1] + factors * model.coef_[0]
    np.testing.assert_allclose(found.weights[:, 1], expected, atol=0.02)
    assert (
        found.predict(part_texts)[0].tolist()
        == np.where(own, "pet", "colour").tolist()
    )


def test_ratios_leave_rows_of_an_encoder_as_they_are(parts):
    def encode(texts):
        return np.array([[-1.0 if "i" in text else 1.0] for text in texts])

    head = choose(parts, encode=encode)[0]._replace(encode=encode)
    found = heads.fit_again(head, 1.0, *parts, ratios=True)
    assert np.isfinite(found.weights).all()


def test_a_head_without_its_encoder_is_refused(parts):
    arrays = choose(parts)[0].arrays() | {"encoder": np.bool_(True)}
    with pytest.raises(ValueError, match="not in the run folder"):
        Head.of_arrays(arrays, None)


def test_a_head_on_another_encoder_is_refused(parts):
    def encoder(digest):
        def encode(texts):
            return np.ones((len(texts), 1))

        encode.digest = digest
        return encode

    head = choose(parts)[0]._replace(encode=encoder("a"))
    assert Head.of_arrays(head.arrays(), encoder("a")).encode
    with pytest.raises(ValueError, match=r"another encoder\.keras"):
        Head.of_arrays(head.arrays(), encoder("b"))
    earlier = head.arrays() | {"encoder": np.bool_(True)}
    assert Head.of_arrays(earlier, encoder("b")).encode


def test_texts_without_words_are_refused(parts):
    with pytest.raises(ValueError, match="no word in the 2 texts"):
        heads.Tfidf().fit(["", " "])
