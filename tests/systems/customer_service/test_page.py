"""The page of the assistant in a real browser, from a running server."""

import pytest

from byol_tf.jobs.recipes import configs
from byol_tf.systems.common import desk
from byol_tf.systems.customer_service import verbs
from tests.support.browser import CHROMIUM, new_page
from tests.support.served import served

FAQ = """question,answer,id
How do I reset my <b>password</b>?,Open Settings. Choose Reset password.,pw
How do I close my account?,Write to us. We close it within a week.,close
Where is my invoice?,Invoices lie under Billing. Choose a month.,bill
Can I pay by card?,Yes. Cards and transfers are taken.,pay
"""
ROWS = ("reset my password", "pw"), ("pay by card", "pay")
SHOWN = "({text: reply.textContent, kind: reply.className, state:"
SHOWN += " state.textContent, intent: intent.textContent, nearest:"
SHOWN += " [...nearest.children].map((item) => item.textContent)})"


@pytest.fixture
def routes(tmp_path, monkeypatch):
    """Those that `serve` would serve of a small help centre."""
    with configs():
        from configs.customer_service import get_config

    config, found = get_config(), []
    config.shapes, config.strengths = ("plain",), (1.0,)

    (tmp_path / "faq.csv").write_text(FAQ)
    (tmp_path / "train.csv").write_text(
        "text,label\n"
        + "".join(f"{t} {n},{w}\n" for n in range(6) for t, w in ROWS)
    )
    run = str(tmp_path / "run")
    verbs.fit(config, str(tmp_path), run)
    monkeypatch.setattr(desk, "serve", lambda *given: found.append(given[0]))
    verbs.serve(config, None, run, "127.0.0.1", 0)
    return found[0]


def ask(page, question):
    """Types a question and sends it; what is shown in the end."""
    page.evaluate(f"document.querySelector('input').value = {question!r}")
    page.evaluate("document.querySelector('button').click()")
    page.evaluate(
        "new Promise((done) => { const look = () => reply.hidden ?"
        " setTimeout(look, 20) : done(); look(); })"
    )
    return page.evaluate(SHOWN)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or google-chrome")
def test_in_a_browser_the_page_shows_answers_and_handing_over(routes, tmp_path):
    with served(routes) as (url, stop), new_page(tmp_path / "p") as page:
        page.open(url)
        found = ask(page, "reset of my password")
        assert "Choose Reset password." in found["text"]
        assert "[pw]" in found["text"]
        assert (found["kind"], found["state"]) == ("", "Answered")
        assert found["intent"].startswith("Intent: pw (")
        assert len(found["nearest"]) == 3
        assert "<b>password</b>? [pw]" in found["nearest"][0]

        strange = ask(page, "what is the weather in oslo")
        assert strange["kind"] == "person"
        assert strange["state"] == "Handed over to a person"
        assert page.complaints == []

        # What went wrong stands alone, not beside an earlier answer.
        empty = ask(page, " ")
        assert "empty" in empty["text"]
        assert empty["nearest"] == [] and empty["intent"] == ""
        stop()
        assert "fetch" in ask(page, "reset of my password")["text"]
        assert all(address.startswith(url) for address in page.requests)
