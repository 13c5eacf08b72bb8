"""An encoder that begins as a language model of Keras Hub."""

import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.modalities.text import hub
from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.modality import TEXT
from byol_tf.modalities.text.tokens import MASKS
from byol_tf.runs.encoder import load_encoder
from byol_tf.training.signals import OutOfTimeError
from configs import base
from tests.modalities.contract import Member
from tests.modalities.text.contract import SENTENCE, TextContract
from tests.support.eager import eagerly
from tests.support.runs import tiny_config

keras_hub = pytest.importorskip(
    "keras_hub", reason="keras-hub is not installed: byol-tf[hub]"
)
sentencepiece = pytest.importorskip("sentencepiece")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDPIECES = [*MARKS, *LETTERS, *(f"##{x}" for x in LETTERS), "card", "the"]
TEXTS = ["The card", "cards the", "", "\u4e2d !"]


def write_preset(folder, tokenizer=True):
    """A tiny BERT with random weights, and its tokenizer."""
    keras.utils.set_random_seed(3)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(WORDPIECES),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=24,
    )
    backbone.save_to_preset(str(folder))
    if tokenizer:
        wordpieces().save_to_preset(str(folder))
    return backbone


def wordpieces():
    return keras_hub.tokenizers.BertTokenizer(WORDPIECES, lowercase=True)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny_bert"
    return folder, write_preset(folder)


def section_of(folder, **fields):
    section = base.get_config()
    section.update_from_flattened_dict(
        {
            "modality": "text",
            "encoder.name": "keras_hub",
            "encoder.weights": str(folder),
            "precision": "float32",
            **fields,
        }
    )
    return section


def bag(words=6, mask=()):
    return Tokens(["=a", "=b"], [1.0, 2.0], words, mask)


@pytest.mark.slow
class TestHub(TextContract):
    fields = {}  # noqa: RUF012  by the fixture

    @pytest.fixture(scope="class", autouse=True)
    def with_preset(self, preset):
        type(self).fields = {
            "encoder.name": "keras_hub",
            "encoder.weights": str(preset[0]),
        }

    @pytest.fixture(scope="class")
    def member(self, with_preset, request, tmp_path_factory):
        return Member(request.cls, tmp_path_factory.mktemp("rows"))


def test_ids_are_those_of_the_tokenizer_between_its_marks(preset):
    tokens = hub.fit(str(preset[0]), bag(), 12)
    found = tokens(tf.constant(TEXTS)).numpy()[..., 0].astype(int) - 1
    start, end = MARKS.index("[CLS]"), MARKS.index("[SEP]")
    for row, pieces in zip(found, wordpieces()(TEXTS), strict=True):
        expected = [start, *pieces, end] if pieces else []
        assert row[row >= 0].tolist() == expected
    long = tokens(tf.constant(["card " * 30])).numpy()[0, :, 0] - 1
    assert len(long) == 12 and long[0] == start and long[-1] == end


def test_the_vocabulary_travels_in_the_configuration(preset):
    tokens = hub.fit(str(preset[0]), bag(), 12)
    config = json.dumps(keras.saving.serialize_keras_object(tokens))
    again = keras.saving.deserialize_keras_object(json.loads(config))
    texts = tf.constant(TEXTS)
    np.testing.assert_array_equal(again(texts), tokens(texts))


def byte_pairs():
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = [*marks, "\u0120", *LETTERS, "th", "the", "\u0120the"]
    merges = ["t h", "th e", "\u0120 the"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return keras_hub.tokenizers.RobertaTokenizer(vocabulary, merges)


def sentence_pieces():
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([SENTENCE, "the th"]),
        model_writer=file,
        vocab_size=10,
        model_type="WORD",
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        pad_piece="<pad>",
        unk_piece="<unk>",
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        user_defined_symbols="[MASK]",
    )
    return keras_hub.tokenizers.AlbertTokenizer(file.getvalue())


@pytest.mark.parametrize("make", [byte_pairs, sentence_pieces])
def test_other_tokenizers_are_read_alike(make, tmp_path):
    tokenizer = make()
    tokenizer.save_to_preset(str(tmp_path))
    sizes = {"vocabulary_size": tokenizer.vocabulary_size()}
    sizes |= {"num_layers": 1, "num_heads": 1, "max_sequence_length": 16}
    sizes |= {"hidden_dim": 4, "intermediate_dim": 4}
    if make is sentence_pieces:
        sizes["embedding_dim"] = 4
    tokenizer.backbone_cls(**sizes).save_to_preset(str(tmp_path))
    tokens = hub.fit(str(tmp_path), bag())
    config = json.dumps(keras.saving.serialize_keras_object(tokens))
    again = keras.saving.deserialize_keras_object(json.loads(config))
    (found,) = again(tf.constant(["the th"])).numpy()[..., 0].astype(int) - 1
    start, end = tokenizer.start_token_id, tokenizer.end_token_id
    assert found[found >= 0].tolist() == [start, *tokenizer("the th"), end]


def test_a_text_is_the_mean_of_the_vectors_of_its_tokens(preset):
    folder, backbone = preset
    section = section_of(folder)
    tokens = hub.fit(str(folder), bag(), 12)
    model = TEXT.pretrained(section, tokens, ())
    batch = tokens(tf.constant(TEXTS))
    ids = batch.numpy()[..., 0].astype(int)
    there = (ids > 0).astype(int)
    given = {"token_ids": np.maximum(ids - 1, 0), "padding_mask": there}
    given["segment_ids"] = np.zeros_like(ids)
    vectors = backbone(given)["sequence_output"].numpy()
    total = (vectors * there[..., None]).sum(1)
    expected = total / np.maximum(there.sum(1), 1)[:, None]
    np.testing.assert_allclose(model(batch), expected, atol=1e-5)
    random = TEXT.encoder(section, tokens, ())
    assert np.abs(random(batch)[:2] - expected[:2]).max() > 0.1


def test_what_is_to_be_masked_is_masked_in_strings(preset):
    tokens = hub.fit(str(preset[0]), bag(mask=("numbers",)), 24)
    _, word = MASKS["numbers"]
    found = tokens(tf.constant(["a 12 b", f"a {word} b"]))
    np.testing.assert_array_equal(found[0], found[1])


def test_the_usual_length_is_half_as_much_again_as_in_words(preset):
    assert hub.fit(str(preset[0]), bag(6), 0).words == 9
    assert hub.fit(str(preset[0]), bag(60), 0).words == 24  # the most


def test_a_length_that_the_backbone_does_not_read_is_refused(preset):
    with pytest.raises(ValueError, match=r"text\.words=25: .* at most 24"):
        hub.fit(str(preset[0]), bag(), 25)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    write_preset(tmp_path, tokenizer=False)
    with pytest.raises(ValueError, match=r"the tokenizer .*save_to_preset"):
        hub.fit(str(tmp_path), bag())


@pytest.mark.parametrize("folder", ["", "bert_tiny_en_uncased", "kaggle://a/b"])
def test_names_that_are_no_folder_download_nothing(folder):
    with pytest.raises(ValueError, match="there is no such folder"):
        hub.fit(folder, bag())


def test_a_backbone_of_images_is_refused(tmp_path):
    keras_hub.models.ViTBackbone(
        image_shape=(8, 8, 3),
        patch_size=4,
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        mlp_dim=4,
    ).save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match="a ViTBackbone, which takes images"):
        hub.fit(str(tmp_path), bag())


@pytest.mark.slow
def test_a_run_begins_with_it_is_resumed_and_loaded(preset, tmp_path):
    rng = np.random.default_rng(0)
    words = SENTENCE.split(" ")
    lines = [" ".join(rng.permutation(words)[:6]) for _ in range(32)]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "train.txt").write_text("\n".join(lines))
    fields = section_of(preset[0]).encoder.to_dict()
    config = tiny_config(
        tmp_path / "texts",
        **{f"encoder.{key}": value for key, value in fields.items()},
        **{"modality": "text", "data.source": "folder", "data.test_split": ""},
        **{"text.drop": 0.0, "objective.tau": 0.999, "precision": "float32"},
    )
    run = tmp_path / "run"
    with eagerly():
        job = pretrain_build.pretraining(config, run, stop_after=1e-9)
        first = job.model.encoder
        batch = job.prepare(tf.constant(lines[:2]))
        start = TEXT.pretrained(config, job.prepare, ())(batch)
        np.testing.assert_allclose(first(batch), start, atol=1e-5)
        with pytest.raises(OutOfTimeError):
            job.run(run)
        pretrain_build.pretraining(config, run).run(run)
    encoder = load_encoder(run)
    found = encoder.model(encoder.preprocessor(tf.constant(lines[:2])))
    assert np.abs(found - start).max() > 1e-4
