"""Runs a notebook and stores its outputs in it.

    python -m tools.run_notebook [notebooks/own_photos.ipynb]

Needs `pip install -e ".[notebook]"`. Files that the notebook writes go to a
temporary folder. Messages on stderr are not stored, since they name this
machine.
"""

import os
import pathlib
import sys
import tempfile

import nbformat
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "byol_colab.ipynb"


def run(notebook: nbformat.NotebookNode, directory: str, timeout: int = 900):
    """Executes all cells with `directory` as the current one.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(directory)}},
        record_timing=False,
        coalesce_streams=True,
    ).execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for output in cell.outputs
                if output.get("name") != "stderr"
            ]
    # Of the interpreter that ran it; Jupyter fills it in anew.
    notebook.metadata.language_info = {"name": "python"}


def main() -> None:
    """Runs the notebook that is named, else the first one."""
    path = pathlib.Path(sys.argv[1]) if sys.argv[1:] else NOTEBOOK
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as directory:
        run(notebook, directory)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
