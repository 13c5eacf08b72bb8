"""The verbs of `byol_tf system code_search`."""

import json
import pathlib
import sys

import numpy as np

from byol_tf.files import write_json, write_text
from byol_tf.systems.code_search.functions import (
    MIN_WORDS,
    Function,
    read_folder,
    read_pairs,
    words,
)
from byol_tf.systems.common.ranking import Ranking, mean_reciprocal_rank
from byol_tf.systems.common.tfidf import Tfidf

FILE, RESULT = "functions.jsonl", "code_search.json"
# Chosen on the training modules of the standard library.
WEIGHTS = {"code": 1.0, "name": 0.6}
MAX_RESULTS = 5


def fit(config, data: str, run: str) -> None:
    """Reads the functions of a folder and stores them in a run folder."""
    functions, folder = read_folder(pathlib.Path(data)), pathlib.Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(function._asdict()) for function in functions)
    write_text(folder / FILE, "".join(f"{line}\n" for line in lines))
    files = {function.path.rpartition(":")[0] for function in functions}
    print(f"Functions: {len(functions)} of {len(files)} files")


def ask(config, data: str | None, run: str, text: str | None) -> None:
    """Prints the functions nearest to a description, or each line of stdin."""
    path = pathlib.Path(run) / FILE
    if not path.is_file():
        raise ValueError(
            f"there is no {FILE} in {run}; fit first: byol_tf system "
            f"code_search fit --data=DIR --run={run}"
        )
    functions = read_pairs(path)
    ranking = ranking_of(functions)
    for line in [text] if text is not None else sys.stdin:
        scores = ranking.scores([words(line)])[0]
        if not scores.any():
            print("No function has any of these words")
        for place in np.argsort(-scores, kind="stable")[:MAX_RESULTS]:
            if not scores[place]:
                break
            function = functions[place]
            about = " ".join(function.docstring.split())[:60]
            name = f"{function.path}  {function.name}"
            print(f"{scores[place]:.2f}  {name}  {about}")


def evaluate(config, data: str, run: str) -> None:
    """Searches each function by its own docstring, and compares with TF-IDF.

    Uses the functions of `test.jsonl` if the folder has one, else those of its
    Python files.
    """
    pairs = pathlib.Path(data) / "test.jsonl"
    functions = (
        read_pairs(pairs) if pairs.is_file() else read_folder(pairs.parent)
    )
    documented = [f for f in functions if len(f.docstring.split()) >= MIN_WORDS]
    if not documented:
        raise ValueError(
            f"no function of {data} has a docstring of {MIN_WORDS} words or "
            "more, to search by"
        )
    questions = [words(function.docstring) for function in documented]
    correct = np.arange(len(documented))
    scores = ranking_of(documented).scores(questions)
    code = [function.code for function in documented]
    tfidf = Tfidf().fit(code)
    tfidf_scores = (
        tfidf.rows([f.docstring for f in documented]) @ tfidf.rows(code).T
    )
    result = {
        "functions": len(documented),
        "mrr": mean_reciprocal_rank(scores, correct),
        "tfidf_mrr": mean_reciprocal_rank(tfidf_scores.toarray(), correct),
    }
    folder = pathlib.Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RESULT, result)
    print(json.dumps(result, indent=1))


def ranking_of(functions: list[Function]) -> Ranking:
    """Makes a ranking of functions by the words of their code and names."""
    fields = {
        "code": [words(function.code) for function in functions],
        "name": [words(function.name) for function in functions],
    }
    return Ranking(fields, WEIGHTS)
