"""The live page of the monitor in a real browser, from a running server."""

import pytest

from byol_tf.jobs.recipes import configs
from byol_tf.jobs.serve import build
from byol_tf.systems.finance_monitor import verbs
from tests.support.browser import CHROMIUM, new_page
from tests.support.news import write_news
from tests.support.served import served

MOODS = {"bearish": "falls sharply", "neutral": "opens"}
TOPICS = {"oil": "crude barrel", "grain": "wheat harvest"}
SHOWN = "({lost: !lost.hidden, alarms: [...alarms.children].map((item) =>"
SHOWN += " item.textContent), titles: [...document.querySelectorAll('h2')].map("
SHOWN += "(title) => title.textContent), points: [...document"
SHOWN += ".querySelectorAll('polyline')].map((line) =>"
SHOWN += " line.getAttribute('points').split(' ').length)})"


@pytest.fixture
def routes(tmp_path, monkeypatch):
    """Those that `watch` would serve of a stream with one surge."""
    with configs():
        from configs.finance_monitor import get_config

    config = get_config()
    config.shapes, config.strengths, config.warm_up = ("plain",), (1.0,), 3
    for part, words, other in (
        ("sentiment", MOODS, TOPICS),
        ("topic", TOPICS, MOODS),
    ):
        (tmp_path / part).mkdir()
        rows = [
            f"{theirs} {own} {n},{label}\n"
            for n in range(6)
            for label, own in words.items()
            for theirs in other.values()
        ]
        (tmp_path / part / "train.csv").write_text(
            "text,label\n" + "".join(rows)
        )
    verbs.fit(config, str(tmp_path), str(tmp_path / "run"))
    stream, found = tmp_path / "news.jsonl", []
    write_news(stream, [2, 2, 2, 2, 30, 3], "<b>{}</b>")
    monkeypatch.setattr(
        build, "serve_routes", lambda _, r, *__: found.append(r)
    )
    verbs.watch(config, None, str(tmp_path / "run"), str(stream), True, 0)
    return found[0]


def wait_for(page, condition):
    page.evaluate(
        "new Promise((done) => { const look = () => "
        f"({condition}) ? done() : setTimeout(look, 50); look(); }})"
    )
    return page.evaluate(SHOWN)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or google-chrome")
def test_in_a_browser_the_page_shows_curves_and_alarms(routes, tmp_path):
    with served(routes) as (url, stop), new_page(tmp_path / "p") as page:
        page.open(url)
        ended = "document.querySelector('h2')?.textContent === 'oil: 3 now'"
        found = wait_for(page, ended)  # the stream is read in a thread
        (alarm,) = found["alarms"]
        assert "negative texts on oil" in alarm and "<b>4</b>" in alarm
        assert found["titles"] == ["oil: 3 now"] and found["points"] == [6]
        assert not found["lost"] and page.complaints == []

        stop()
        assert wait_for(page, "!lost.hidden")["titles"] == ["oil: 3 now"]
        assert all(address.startswith(url) for address in page.requests)
