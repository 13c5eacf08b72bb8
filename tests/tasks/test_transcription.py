"""Texts of sounds: letters, CTC, decoding, error rates."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.data.label_table import LabelTable
from byol_tf.tasks.ctc import UNKNOWN, frames_needed
from byol_tf.tasks.task import Labelled
from byol_tf.tasks.transcription import Transcription, collapse_row


def labelled(texts, column="text"):
    count = len(texts)
    table = LabelTable(
        [f"{i}.wav" for i in range(count)], {column: texts, "speaker": texts}
    )
    rows = np.zeros((count, 8), np.int16)
    return Labelled(Examples(rows, np.full(count, -1), (), "sounds"), table)


@pytest.fixture
def task():
    return Transcription.of(labelled(["b a", "aab"]))


def logits_of(frames, labels, sure=9.0):
    return tf.one_hot(frames, labels) * sure


def test_letters_are_those_of_the_texts_in_any_language(caplog):
    task = Transcription.of(labelled(["早上 好", "e\u0301  x", ""]))
    assert task.columns == (" ", "x", "é", "上", "好", "早")
    targets = task.targets(labelled(["好 é", "", "zx"]))
    assert targets.tolist() == [[5, 1, 3], [0, 0, 0], [UNKNOWN, 2, 0]]
    assert task.known(targets).tolist() == [True, False, True]
    assert "has the letters 'z'; they count as errors" in caplog.text
    assert task.spell(targets[0]) == "好 é"
    assert task.spell(targets[2]) == "\ufffdx"


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (labelled(["a"], column="words"), "must have a column 'text'"),
        (labelled(["", " "]), "column 'text' of .* is empty in all"),
    ],
)
def test_labels_without_texts_are_refused(given, match):
    with pytest.raises(ValueError, match=match):
        Transcription.of(given)


def test_letters_said_twice_in_a_row_need_a_frame_between():
    task = Transcription(["a", "b"])
    targets = np.array([[1, 2, 1], [1, 1, 2], [1, 0, 0]])
    assert frames_needed(targets).tolist() == [3, 4, 1]
    assert task.fits(targets, np.array([3, 3, 1])).tolist() == [
        True,
        False,
        True,
    ]


def loss_by_paths(target, log_probabilities):
    """Sums the probability of every path of labels that says the text."""
    frames, labels = log_probabilities.shape
    total = -np.inf
    for path in itertools.product(range(labels), repeat=frames):
        said = [k for k, _ in itertools.groupby(path) if k]
        if said == list(target):
            total = np.logaddexp(
                total, log_probabilities[range(frames), path].sum()
            )
    return -total


def test_the_loss_sums_all_paths_and_padding_counts_for_nothing(task):
    logits = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    lengths = tf.constant([4, 5, 2])
    targets = tf.constant([[2, 1, 0], [3, 3, 0], [1, 1, 0]])
    outputs = {"logits": tf.constant(logits), "length": lengths}
    found = task.loss(targets, outputs).numpy()
    sure = tf.nn.log_softmax(logits.astype(np.float64)).numpy()
    expected = [
        loss_by_paths([2, 1], sure[0, :4]) / 2,
        loss_by_paths([3, 3], sure[1]) / 2,
        0.0,  # cannot be said in two frames
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    behind = tf.where(tf.sequence_mask(lengths, 5)[..., None], logits, 7.0)
    changed = task.loss(targets, {**outputs, "logits": behind})
    np.testing.assert_array_equal(changed, found)


def test_texts_that_cannot_be_said_have_no_gradient(task):
    logits = tf.Variable(tf.random.stateless_normal([3, 4, 4], (0, 1)))
    targets = tf.constant([[1, 1, 1], [UNKNOWN, 1, 0], [0, 0, 0]])
    with tf.GradientTape() as tape:
        outputs = {"logits": logits, "length": tf.constant([4, 4, 4])}
        loss = tf.reduce_sum(task.loss(targets, outputs))
    assert float(loss) == 0
    assert not np.abs(tape.gradient(loss, logits)).any()


def test_greedy_decoding_takes_the_best_label_of_each_frame(task):
    frames = [[2, 2, 0, 2, 3, 3], [0, 1, 2, 2, 1, 3], [0] * 6]
    outputs = {"logits": logits_of(frames, 4), "length": [6, 4, 5]}
    decoded = task.decode(outputs)
    assert decoded["frames"].numpy()[1].tolist() == [0, 1, 2, 2, 0, 0]
    assert [collapse_row(row).tolist() for row in np.array(frames)] == [
        [2, 2, 3],
        [1, 2, 1, 3],
        [],
    ]
    arrays = {name: value.numpy() for name, value in decoded.items()}
    rows = task.rows(arrays)
    assert [row["text"] for row in rows] == ["aab", "a", ""]
    words = task.words(decoded)["text"].numpy()
    assert [word.decode() for word in words] == ["aab", "a", ""]
    sure = np.exp(9) / (np.exp(9) + 3)
    np.testing.assert_allclose([row["confidence"] for row in rows], sure, 1e-5)


def likeliest_text(log_probabilities):
    frames, labels = log_probabilities.shape
    texts = {}
    for path in itertools.product(range(labels), repeat=frames):
        said = tuple(k for k, _ in itertools.groupby(path) if k)
        each = log_probabilities[range(frames), path].sum()
        texts[said] = np.logaddexp(texts.get(said, -np.inf), each)
    return max(texts, key=texts.get)


def test_a_wide_beam_finds_the_likeliest_text():
    task = Transcription(["a", "b", "c"], beam=200)
    logits = np.random.default_rng(3).normal(size=(4, 5, 4)).astype("float32")
    decoded = task.decode({"logits": tf.constant(logits)})
    sure = tf.nn.log_softmax(logits.astype(np.float64)).numpy()
    expected = ["".join("abc"[i - 1] for i in likeliest_text(x)) for x in sure]
    found = {name: value.numpy() for name, value in decoded.items()}
    assert [row["text"] for row in task.rows(found)] == expected
    assert [w.decode() for w in task.words(decoded)["text"].numpy()] == expected


def test_errors_add_up_over_batches(task):
    accumulator = task.accumulator()
    targets = task.targets(labelled(["a b", "aab"]))
    outputs = {"logits": logits_of([[2, 0, 1, 3, 3]] * 2, 4)}
    decoded = {k: v.numpy() for k, v in task.decode(outputs).items()}
    for row in range(2):
        part = slice(row, row + 1)
        own = {name: value[part] for name, value in decoded.items()}
        accumulator.update(targets[part], own)
    result = accumulator.result()
    assert result["wer"] == pytest.approx(2 / 3)  # "a b" for "aab"
    assert result["cer"] == pytest.approx(1 / 6)
    assert result["character_accuracy"] == 1 - result["cer"]
    assert [row for row, _ in accumulator.worst()] == [1]


def test_the_head_hears_what_is_near_alone(task):
    spec = {"frames": tf.TensorSpec([None, None, 6], tf.float32)}
    keras.utils.set_random_seed(0)
    head = task.head(spec)
    frames = np.random.default_rng(0).normal(size=(1, 40, 6)).astype("float32")
    changed = frames.copy()
    changed[:, 30:] = 0
    first, second = (head({"frames": x})["logits"] for x in (frames, changed))
    assert first.shape == (1, 40, 4)
    np.testing.assert_array_equal(first[:, :23], second[:, :23])
    assert np.abs(first[:, 23:30] - second[:, 23:30]).max() > 0
