"""The assistant, from files to replies, on a help centre of ten questions."""

import json

import numpy as np
import pytest

from byol_tf.jobs.recipes import configs
from byol_tf.systems.customer_service import (
    answers,
    assistant,
    fitting,
    verbs,
    web,
)

FAQ = """question,answer,id
How do I reset my password?,Open Settings. Choose Reset password. Wait.,pw
How do I close my account?,Write to us. We close it within a week.,close
Where is my invoice?,Invoices lie under Billing. Choose a month.,bill
Can I pay by card?,Yes. Cards and transfers are taken.,pay
How do I change my address?,Under Profile there is a field for the address.,addr
"""


@pytest.fixture(scope="module")
def config():
    with configs():
        from configs.customer_service import get_config

    return get_config()


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "faq.csv").write_text(FAQ)
    return tmp_path


@pytest.fixture
def learned(config, shop):
    return fitting.fit(config, shop, None)


def test_a_known_question_in_other_words_is_answered_with_its_source(
    config, learned
):
    reply = learned.ask("reset of the password", verbs.words_of(config))
    assert not reply.hand_over and "Choose Reset password." in reply.text
    assert "[pw]" in reply.text and reply.nearest[0].source == "pw"
    assert len(reply.nearest) == 3


def test_a_strange_question_goes_to_a_person(config, learned):
    reply = learned.ask("what is the weather in oslo", verbs.words_of(config))
    assert reply.hand_over and reply.text == config.hand_over


def test_rehearsals_are_the_same_in_other_blocks(learned, monkeypatch):
    whole = learned.answers.rehearse(0)
    monkeypatch.setattr(answers, "_BLOCK", 2)
    np.testing.assert_allclose(learned.answers.rehearse(0), whole)


def test_an_empty_question_is_refused(config, learned):
    with pytest.raises(ValueError, match="the question is empty"):
        learned.ask("  ", verbs.words_of(config))


@pytest.mark.parametrize("name", ["nearest", "sentences"])
def test_a_reply_needs_an_answer_and_a_sentence(config, name):
    other = config.copy_and_resolve_references()
    other[name] = 0
    with pytest.raises(ValueError, match=f"`{name}` must be an integer"):
        verbs.words_of(other)


def test_answers_are_added_without_training(config, shop, learned):
    learned.save(shop, shop)
    desk = web.Desk(
        lambda: assistant.load(shop, None, None), verbs.words_of(config)
    )
    with open(shop / "faq.csv", "a") as file:
        file.write("Do you ship to Iceland?,Yes; it takes ten days.,ice\n")
    assert json.loads(desk.reload(b"")[0]) == {"answers": 6}
    reply = json.loads(desk.ask(b'{"question": "do you ship to Iceland"}')[0])
    assert reply["nearest"][0]["source"] == "ice" and not reply["hand_over"]
    for body in (b"[]", b"[" * 100_000):
        with pytest.raises(ValueError, match="the body must be"):
            desk.ask(body)


def test_answers_that_were_moved_are_asked_for(shop, learned):
    learned.save(shop, shop)
    (shop / "new").mkdir()
    (shop / "faq.csv").rename(shop / "new" / "faq.csv")
    with pytest.raises(ValueError, match="give the folder that it is in by"):
        assistant.load(shop, None, None)
    assert assistant.load(shop, str(shop / "new"), None).answers


def test_half_a_file_is_named(tmp_path):
    (tmp_path / assistant.FILE).write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ValueError, match=r"\.npz cannot be loaded"):
        assistant.load(tmp_path, None, None)


def test_first_answers_need_a_fit(config, shop, learned):
    learned._replace(limits={"intents": 0.0}).save(shop, shop)
    with pytest.raises(ValueError, match="was not there when it was fitted"):
        assistant.load(shop, None, None)


def test_other_braces_of_a_template_stay(config, learned):
    words = verbs.words_of(config)._replace(template="{source} {x} { {}")
    assert learned.ask("reset my password", words).text == "pw {x} { {}"


def test_intents_are_learned_kept_and_judged(config, shop, capsys):
    (shop / "faq.csv").unlink()
    rows = [("pay by card", "pay"), ("card payment", "pay")]
    rows += [("lost my parcel", "parcel"), ("where is the parcel", "parcel")]
    table = "text,label\n" + "".join(
        f"{t} {n},{w}\n" for n in range(6) for t, w in rows
    )
    for name in "train.csv", "test.csv":
        (shop / name).write_text(table)
    (shop / "oos_train.csv").write_text("text\nquantum physics\n")
    (shop / "oos_test.csv").write_text("text\nquasi dux\n")
    verbs.fit(config, str(shop), str(shop / "run"))
    verbs.evaluate(config, str(shop), str(shop / "run"))
    found = json.loads((shop / "run" / verbs.RESULT).read_text())
    assert found["in_scope_accuracy"] == found["tfidf_in_scope_accuracy"] == 1
    assert found["oos_recall"] == 1 and found["oos_auroc"] == 1
    verbs.ask(config, None, str(shop / "run"), "my parcel")
    assert "Your question is about: parcel." in capsys.readouterr().out


def test_the_ranking_of_queries_is_judged(shop, learned):
    (shop / "queries.csv").write_text(
        "query,id\npassword reset,pw\nmy bill,bill\n"
    )
    assert fitting.evaluate(learned, shop)["map"] == 1
    (shop / "queries.csv").write_text("query,id\nmy bill,other\n")
    with pytest.raises(ValueError, match="none of 1 ids, such as 'other'"):
        fitting.evaluate(learned, shop)


def test_a_folder_without_its_files_is_named(config, tmp_path):
    with pytest.raises(ValueError, match=r"neither train\.csv"):
        fitting.fit(config, tmp_path, None)
    with pytest.raises(ValueError, match="fit first"):
        assistant.load(tmp_path, None, None)
