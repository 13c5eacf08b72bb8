"""Of two commands in one folder, the second ends with one line."""

import os

import pytest

from byol_tf.locks import owned_folder
from byol_tf.search.parts import parts_folder
from tests.support.runs import make_run
from tests.support.scripts import assert_one_clear_line, run_script


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locks")
    make_run(folder)
    (folder / "images").mkdir()
    return folder


@pytest.mark.parametrize(
    "script, flags, owned",
    [
        ("eval_linear", ["--workdir=run"], "run"),
        ("finetune", ["--workdir=run"], "run"),
        ("compare", ["--workdir=new"], "new"),
        ("tune", ["--workdir=new"], "new"),
        ("export", ["--workdir=run", "--to=out"], "out"),
        (
            "embed",
            ["--workdir=run", "--images=images"],
            parts_folder("run/embeddings.parquet"),
        ),
    ],
)
def test_the_second_ends_with_the_name_of_the_first(
    folder, script, flags, owned
):
    with owned_folder(folder / owned):
        done = run_script(f"{script}.py", *flags, cwd=folder)
    assert_one_clear_line(done, f"in use by process {os.getpid()} on ")
