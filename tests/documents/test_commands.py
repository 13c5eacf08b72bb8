"""Every command of the documents runs, or is listed with the reason."""

import ast
import pathlib
import re
import shlex
from concurrent.futures import ThreadPoolExecutor

import pytest

from byol_tf.jobs.pretrain import build as builders
from configs import command_line
from tests.support import docs_commands
from tests.support.docs_commands import NOT_RUN, ROOT, kind

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]
SHELLS, PYTHON = "sh|bash|shell|console", "python|py"
NEEDS_SERVER = "127.0.0.1:85"  # in programs
# Not installed; test_tracking.py runs those programs with stand-ins.
TRACKERS = re.compile(r"^import (wandb|mlflow)$", re.M)


def blocks(document: pathlib.Path, languages: str) -> list[str]:
    text = document.read_text(encoding="utf-8")
    found = re.findall(rf"^```(?:{languages})\n(.*?)^```", text, re.M | re.S)
    return [block for block in found if not TRACKERS.search(block)]


def commands(document: pathlib.Path) -> list[str]:
    """One line each, without comments and what is fed to them."""
    text = "\n".join(blocks(document, SHELLS)).replace("\\\n", " ")
    text = re.sub(r"<<-?'?(\w+)'?\n.*?^\1$", "", text, flags=re.M | re.S)
    lines = text.splitlines()
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in lines]
    return [" ".join(line.split()) for line in lines if line.strip()]


def pairs(languages=None):
    for document in DOCUMENTS:
        name = document.relative_to(ROOT).as_posix()
        found = blocks(document, languages) if languages else commands(document)
        yield from ((name, text) for text in found)


@pytest.mark.parametrize("document,command", list(pairs()))
def test_a_command_is_run_or_listed_with_its_reason(document, command):
    assert kind(command), (
        f"{document}: say in tests/support/docs_commands.py how to run "
        f"{command}"
    )


def test_every_reason_is_needed():
    known = {
        c for _, command in pairs() for c in NOT_RUN if command.startswith(c)
    }
    assert set(NOT_RUN) == known


@pytest.mark.parametrize("document,code", list(pairs(PYTHON)))
def test_python_in_a_document_compiles_and_imports_what_exists(document, code):
    compile(code, document, "exec")
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(ast.unparse(node), {})


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_links_lead_to_files_and_headings_that_exist(document):
    text = document.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, heading = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
            assert heading in {_anchor(title) for title in titles}, link


def _anchor(title):
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "command",
    [command for _, command in pairs() if kind(command) == "checked"],
)
def test_the_settings_of_a_training_are_possible(command):
    given = [word.removeprefix("--config") for word in shlex.split(command)]
    (path,) = [word[1:] for word in given if word.startswith("=")]
    fields = [word[1:] for word in given if word.startswith(".")]
    builders.check(command_line.load(str(ROOT / path), tuple(fields)))


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_all_commands_and_programs_of_the_documents_run(tmp_path):
    base = docs_commands.checkout(tmp_path / "base")
    failed = docs_commands.run_all(base, [docs_commands.DEMO])
    assert not failed, failed
    jobs = []
    for document in DOCUMENTS:
        todo = [
            c for c in commands(document) if kind(c) not in ("not", "checked")
        ]
        todo += [c for c in blocks(document, PYTHON) if NEEDS_SERVER not in c]
        if todo:
            name = document.relative_to(ROOT).as_posix().replace("/", "-")
            folder = docs_commands.copied(base, tmp_path / name)
            jobs.append((folder, list(dict.fromkeys(todo))))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda job: docs_commands.run_all(*job), jobs))
    failed = [entry for entries in results for entry in entries]
    assert not failed, "\n\n".join(failed)
