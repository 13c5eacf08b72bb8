"""The verbs of `byol_tf system finance_monitor`."""

import functools
import json
import os
import pathlib
import signal
import threading
import time

import numpy as np
from absl import logging

from byol_tf.checks import check_integer, check_positive
from byol_tf.files import (
    loading,
    read_json,
    whole_file,
    write_json,
    write_text,
)
from byol_tf.locks import owned_folder
from byol_tf.systems.common import heads, rows
from byol_tf.systems.common.desk import page_of
from byol_tf.systems.common.encoder import encoder_of
from byol_tf.systems.common.heads import Head
from byol_tf.systems.finance_monitor import judging, sources
from byol_tf.systems.finance_monitor.counting import (
    STATE,
    Monitor,
    Rule,
    parse,
)

HEADS = ("sentiment", "topic")
FILE, RESULT = "finance_monitor.npz", "finance_monitor.json"
_PAGE_WINDOWS = 168
_MAX_PRINTED = 10  # invalid lines to print; all are counted


def fit(config, data: str, run: str) -> None:
    """Fits both classifiers, each to its own folder, and writes them."""
    folder, arrays = pathlib.Path(run), {}
    folder.mkdir(parents=True, exist_ok=True)
    tables = {name: _table(data, name, "train.csv") for name in HEADS}
    _check_negative(config, tables["sentiment"][1], "train.csv")
    encode = encoder_of(folder)
    for name, (texts, labels) in tables.items():
        parts = heads.split(texts, labels, config.held_out, config.seed)
        options = {"shapes": config.shapes, "strengths": config.strengths}
        ratios = {"ratios": config.ratios}
        print(f"{name}: {len(texts)} texts")
        head, strength = heads.choose_head(
            *parts, **options, **ratios, encode=encode
        )
        head = heads.fit_again(head, strength, *parts, **ratios)
        head_arrays = head.arrays().items()
        arrays |= {f"{name}.{key}": value for key, value in head_arrays}
    with whole_file(folder / FILE) as path:
        np.savez_compressed(path, **arrays)


def evaluate(config, data: str, run: str) -> None:
    """Evaluates both classifiers and the alarms on the test files."""
    folder, result = pathlib.Path(run), {}
    classifiers = _load(folder)
    for name, head in classifiers.items():
        texts, labels = _table(data, name, "test.csv")
        rows.check_known(f"{name}/test.csv", labels, head.classes)
        baseline = heads.fit_baseline(*_table(data, name, "train.csv"))
        for prefix, classifier in ("", head), ("tfidf_", baseline):
            names = classifier.predict(texts)[0]
            accuracy = float((names == np.array(labels)).mean())
            result.setdefault(f"{prefix}accuracy", {})[name] = accuracy
            f1 = heads.macro_f1(labels, names)
            result.setdefault(f"{prefix}macro_f1", {})[name] = f1
    texts, labels = _table(data, "sentiment", "test.csv")
    _check_negative(config, labels, "test.csv")
    topics = classifiers["topic"].predict(texts)[0]
    negative = classifiers["sentiment"].predict(texts)[0] == config.negative
    truly = np.array(labels) == config.negative
    result |= judging.judge(_rule(config), topics, negative, truly, config.seed)
    write_json(folder / RESULT, result)
    print(json.dumps(result, indent=1))


def watch(
    config, data: str | None, run: str, input: str, once: bool, page: int | None
) -> None:
    """Reads a stream, prints alarms as JSON lines, and saves the state.

    With a page, the server keeps running after the stream has ended.
    """
    folder = pathlib.Path(run)
    classifiers, state_path = _load(folder), folder / STATE
    _check_negative(config, classifiers["sentiment"].classes, "train.csv")
    with owned_folder(folder):  # a second process would replace the state
        state = read_json(state_path) if state_path.is_file() else None
        monitor = Monitor(_rule(config), state)
        watch_stream = functools.partial(
            _watch, config, folder, classifiers, monitor, input, once
        )
        if page is None:
            watch_stream()
        else:
            _with_page(config, monitor, watch_stream, page)


def _with_page(config, monitor, watch_stream, page):
    """Serves the page while the stream is read in a thread."""
    from byol_tf.jobs.serve import build

    errors = []

    def watch():
        try:
            watch_stream()
        except (OSError, ValueError) as error:
            errors.append(error)
            logging.error("the stream is not read any more: %s", error)
            os.kill(os.getpid(), signal.SIGTERM)  # ends the server

    threading.Thread(target=watch, daemon=True).start()
    routes = {
        ("GET", "/"): lambda _: page_of(__package__),
        ("GET", "/state"): lambda _: _curves(monitor),
    }
    build.serve_routes(config.server, routes, "127.0.0.1", page)
    if errors:
        raise errors[0]


def _watch(config, folder, classifiers, monitor, source, once):
    places = monitor.state["places"]
    # Of a file that is no stream, not every line is printed.
    max_wrong = monitor.state["wrong"] + _MAX_PRINTED
    for lines in sources.batches(source, places, config.poll_s, once):
        if not lines:
            continue
        for alarm in _new_alarms(
            config, classifiers, monitor, lines, max_wrong
        ):
            print(json.dumps(alarm, ensure_ascii=False), flush=True)
        # Written atomically; after a crash the last batch is read again.
        write_text(folder / STATE, json.dumps(monitor.state))
    state = monitor.state
    print(
        f"Counted {state['counted']} texts so far; skipped: {state['twice']} "
        f"that came twice, {state['late']} too late, {state['wrong']} invalid "
        "lines"
    )


def _new_alarms(config, classifiers, monitor, lines, max_wrong):
    """Yields the alarms of some lines; prints invalid ones up to a number."""
    items = []
    for line in filter(bytes.strip, lines):
        try:
            items.append(parse(line, time.time()))
        except ValueError as error:
            monitor.state["wrong"] += 1
            if monitor.state["wrong"] <= max_wrong:
                logging.warning("left out %.60r: %s", line, error)
    if not items:
        return
    texts = [item.text for item in items]
    topics = classifiers["topic"].predict(texts)[0].tolist()
    is_negative = classifiers["sentiment"].predict(texts)[0] == config.negative
    for item, topic, negative in zip(items, topics, is_negative, strict=True):
        if alarm := monitor.add(item, topic, bool(negative)):
            yield alarm


def _table(data, name, file):
    path = pathlib.Path(data) / name / file
    if not path.is_file():
        raise ValueError(
            f"there is no {path}; {data} must have sentiment/ and topic/, each "
            "with train.csv and test.csv (text,label)"
        )
    return rows.read_labelled(path)


def _check_negative(config, labels, file):
    if config.negative not in labels:
        raise ValueError(
            f"no text of sentiment/{file} has the label {config.negative!r}, "
            f"but {', '.join(sorted({*labels}))}; name the one for bad news "
            "by --config.negative="
        )


def _load(folder):
    path = folder / FILE
    if not path.is_file():
        raise ValueError(
            f"there is no {FILE} in {folder}; fit first: byol_tf system "
            f"finance_monitor fit --data=DIR --run={folder}"
        )
    encode = encoder_of(folder)
    with loading(path), np.load(path) as arrays:
        parts = {name: {} for name in HEADS}
        for key in arrays:
            name, _, rest = key.partition(".")
            parts[name][rest] = arrays[key]
    return {name: Head.of_arrays(parts[name], encode) for name in HEADS}


def _rule(config):
    check_positive("window_s", config.window_s)
    check_integer("warm_up", config.warm_up, 1)
    # With fewer windows to compare with there would never be an alarm.
    check_integer("baseline", config.baseline, config.warm_up)
    return Rule(**{name: config[name] for name in Rule._fields})


def _curves(monitor):
    """Returns negative texts by topic and window, and alarms, as JSON."""
    counts = dict(monitor.state["counts"])  # another thread adds to it
    windows = sorted(map(int, counts))[-_PAGE_WINDOWS:]
    topics = sorted(
        {
            t
            for topic_counts in list(counts.values())
            for t in list(topic_counts)
        }
    )
    about = {
        "start": [window * monitor.rule.window_s for window in windows],
        "topics": {
            t: [counts[str(w)].get(t, (0, 0))[1] for w in windows]
            for t in topics
        },
        "alarms": monitor.state["alarms"][-20:][::-1],
    }
    return json.dumps(about), "application/json"
