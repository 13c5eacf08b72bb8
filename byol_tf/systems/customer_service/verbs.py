"""The verbs of `byol_tf system customer_service`."""

import functools
import json
import pathlib
import sys

from byol_tf.checks import check_integer
from byol_tf.files import write_json
from byol_tf.systems.common.encoder import encoder_of
from byol_tf.systems.customer_service import assistant, fitting, web
from byol_tf.systems.customer_service.assistant import Words

RESULT = "customer_service.json"


def fit(config, data: str, run: str) -> None:
    """Fits an assistant to a folder, and writes it into a run folder."""
    path, folder = pathlib.Path(data), pathlib.Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    fitted_assistant = fitting.fit(config, path, encoder_of(folder))
    fitted_assistant.save(folder, path)
    for name, limit in sorted(fitted_assistant.limits.items()):
        print(f"By {name}, questions below {limit:.3f} go to a person")
    if fitted_assistant.head:
        print(f"Intents: {len(fitted_assistant.head.classes)}")
    if fitted_assistant.answers:
        print(f"Answers: {len(fitted_assistant.answers.rows)}")


def ask(config, data: str | None, run: str, text: str | None) -> None:
    """Answers one question, or each line of standard input."""
    fitted_assistant = _load(data, run)
    words = words_of(config)
    if text is None and sys.stdin.isatty():
        print("Ask; Ctrl-D ends.")
    for line in [text] if text is not None else sys.stdin:
        if line.strip():
            print(_lines(fitted_assistant.ask(line.strip(), words)), flush=True)


def serve(config, data: str | None, run: str, host: str, port: int) -> None:
    """Answers by REST and on a web page until it is stopped."""
    load = functools.partial(_load, data, run)
    web.serve(load, words_of(config), config.server, host, port)


def evaluate(config, data: str, run: str) -> None:
    """Evaluates on the test files, and writes the results."""
    fitted_assistant = _load(data, run)
    result = {
        "stated_precision": config.precision,
        **fitting.evaluate(fitted_assistant, pathlib.Path(data)),
    }
    write_json(pathlib.Path(run) / RESULT, result)
    print(json.dumps(result, indent=1))


def words_of(config) -> Words:
    """Returns how replies are worded, as configured."""
    check_integer("nearest", config.nearest, 1)  # the first one is the answer
    check_integer("sentences", config.sentences, 1)
    return Words(**{name: config[name] for name in Words._fields})


def _load(data, run):
    folder = pathlib.Path(run)
    return assistant.load(folder, data, encoder_of(folder))


def _lines(reply):
    lines = [reply.text]
    if reply.intent:
        lines.append(f"  intent: {reply.intent} ({reply.confidence:.2f})")
    lines += [
        f"  {answer.score:.2f}  {answer.question} [{answer.source}]"
        for answer in reply.nearest
    ]
    return "\n".join(lines)
