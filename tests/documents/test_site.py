"""The site of the documentation builds, and leaves out no public name."""

import re

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

import byol_tf
from tools import site

DOCUMENTS = [*site.ROOT.glob("*.md"), *site.ROOT.glob("docs/**/*.md")]


def test_the_reference_has_every_public_name():
    assert set(site.public_names()) == set(byol_tf.__all__)
    pages = "".join(site.reference().values())
    for path in site.public_names().values():
        assert f"::: {path}\n" in pages


@pytest.mark.parametrize(
    "page,link,found",
    [
        ("guides/text.md", "../../configs/base.py", "configs/base.py"),
        ("start.md", "../CONTRIBUTING.md", "CONTRIBUTING.md"),
        ("start.md", "results.md", None),
        ("start.md", "../../beside.md", None),
        ("start.md", "../there_is_none.py", None),
    ],
)
def test_links_out_of_the_documentation_are_found(page, link, found):
    assert site.outside(page, link) == (found and site.ROOT / found)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_rows_of_a_table_have_as_many_cells_as_its_head(path):
    text = re.sub(r"`[^`\n]*`", "", path.read_text("utf-8"))
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        rows = table.splitlines()
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(cells) == 1, rows[0]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_tests_that_exist(path):
    named = re.findall(r"`(tests/[\w/]+\.py)`", path.read_text("utf-8"))
    for name in (n for n in named if "NAME" not in n):
        assert (site.ROOT / name).is_file(), name


def test_the_readme_stays_one_page():
    lines = (site.ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) < 150


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    config = load_config(
        str(site.ROOT / "mkdocs.yml"), strict=True, site_dir=str(tmp_path)
    )
    config.plugins.on_startup(command="build", dirty=False)
    build(config)  # aborts at the first warning
    page = (tmp_path / "reference" / "methods" / "index.html").read_text(
        "utf-8"
    )
    assert "BYOL" in page and "projection_size" in page
    assert (tmp_path / "source" / "configs" / "base.py.txt").is_file()
