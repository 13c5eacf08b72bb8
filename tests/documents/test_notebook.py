"""The notebook runs, and is shipped with what it gave."""

import ast
import json
import re

import nbformat
import pytest

from tools import run_notebook

NOTEBOOK = run_notebook.NOTEBOOK
# What makes a run short: fewer images for the same network, in batches of as
# many as are drawn before, for which the views are compiled already.
SHORTER = {
    "EPOCHS = 16": "EPOCHS = 1",
    "BATCH = 128": "BATCH = 10",
    '"fashion_mnist", "train")': '"fashion_mnist", "train").subset(range(300))',
    '"fashion_mnist", "test")': '"fashion_mnist", "test").subset(range(200))',
    "[:5000]": "[:200]",
    "[:4000]": "[:200]",
    "[4000:5000]": "[200:300]",
    "[:1000]": "[:100]",
}


@pytest.fixture(scope="module")
def shipped():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [o for cell in code_cells(notebook) for o in cell.outputs]


def printed(notebook):
    return "".join(o.text for o in outputs(notebook) if "text" in o)


def shorter(notebook):
    """The same cells with every number of `SHORTER` exchanged."""
    text = nbformat.writes(nbformat.from_dict(notebook))
    for long, short in SHORTER.items():
        long, short = (json.dumps(part)[1:-1] for part in (long, short))
        assert long in text
        text = text.replace(long, short)
    return nbformat.reads(text, as_version=4)


def check(notebook):
    """What a run of any length has to show."""
    assert not [o for o in outputs(notebook) if o.output_type == "error"]
    pictures = [
        o for o in outputs(notebook) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 3
    text = printed(notebook)
    (status,) = re.findall(r"^status: (.*)$", text, re.M)
    *good, bad = ast.literal_eval(status)
    assert good == ["ok"] * 3 and bad != "ok"
    for difference in re.findall(r"difference: (\S+)", text):
        assert float(difference) < 0.05  # last digits of bfloat16


def test_the_notebook_is_valid_and_small(shipped):
    nbformat.validate(shipped)
    assert NOTEBOOK.stat().st_size < 2**20


def test_every_step_is_explained(shipped):
    kinds = [cell.cell_type for cell in shipped.cells]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= 10


def test_it_is_shipped_with_the_outputs_of_one_run_from_top_to_bottom(shipped):
    counts = [cell.execution_count for cell in code_cells(shipped)]
    assert counts == list(range(1, len(counts) + 1))
    check(shipped)


def test_the_shipped_run_shows_that_pretraining_helped(shipped):
    rows = re.findall(
        r"^(\w.*?) +([\d.]+)% +([\d.]+)%$", printed(shipped), re.M
    )
    assert [name for name, *_ in rows] == ["kNN", "10 labels per class"]
    for _, before, after in rows:
        assert float(after) > float(before) + 2


def test_outputs_name_no_folder_of_the_machine_that_made_them(shipped):
    text = json.dumps([o for o in outputs(shipped) if "text" in o])
    text += json.dumps(shipped.metadata)
    assert not re.search(r"/(home|root|tmp|work|usr|Users)/", text)


SHORT = ("own_photos", "own_sounds")


@pytest.fixture
def short(request):
    path = NOTEBOOK.with_name(f"{request.param}.ipynb")
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("short", SHORT, indirect=True)
def test_a_short_notebook_is_shipped_with_the_outputs_of_one_run(short):
    nbformat.validate(short)
    assert len(short.cells) < 25
    counts = [cell.execution_count for cell in code_cells(short)]
    assert counts == list(range(1, len(counts) + 1))
    shown = [o for o in outputs(short) if "image/png" in o.get("data", {})]
    assert len(shown) == 1 and "pretrained" in printed(short)
    test_outputs_name_no_folder_of_the_machine_that_made_them(short)


@pytest.mark.parametrize("name", ["byol_colab", *SHORT])
def test_a_notebook_opened_alone_installs_what_it_imports(name):
    notebook = nbformat.read(NOTEBOOK.with_name(f"{name}.ipynb"), as_version=4)
    first, *others = [cell.source for cell in code_cells(notebook)]
    assert re.search(r'%pip install --quiet "byol-tf(\[\w+\])?"', first)
    assert not re.search(r"\btools\b", "".join(others))  # of a checkout


@pytest.mark.slow
@pytest.mark.parametrize(
    "name,epochs,said",
    [
        ("own_photos", "EPOCHS = 4", "nearest of the same photo"),
        ("own_sounds", "EPOCHS = 2", "120 sounds"),
    ],
)
def test_a_notebook_of_own_examples_runs(tmp_path, name, epochs, said):
    notebook = nbformat.read(NOTEBOOK.with_name(f"{name}.ipynb"), as_version=4)
    assert any(epochs in cell.source for cell in code_cells(notebook))
    for cell in code_cells(notebook):
        cell.source = cell.source.replace(epochs, "EPOCHS = 1")
    run_notebook.run(notebook, tmp_path)
    assert said in printed(notebook)
    assert (tmp_path / "run" / "encoder.keras").is_file()


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(shipped, tmp_path):
    notebook = shorter(shipped)
    run_notebook.run(notebook, tmp_path)
    check(notebook)
    assert (tmp_path / "byol_output" / "encoder.keras").is_file()
    assert (tmp_path / "byol_output/exported/1/saved_model.pb").is_file()
