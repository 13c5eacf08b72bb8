"""What `pip install .` brings along, and what the files about it say."""

import datetime
import pathlib
import re
import subprocess
import sys
import zipfile
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import byol_tf

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = pathlib.Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
EXTRAS = PROJECT["optional-dependencies"]


def package_files(suffixes_left_out=(".py", ".pyc")):
    for path in sorted((ROOT / "byol_tf").rglob("*")):
        if path.is_file() and path.suffix not in suffixes_left_out:
            yield path


def requirements(extra):
    """Those of an extra, with those of the extras that it names."""
    for line in EXTRAS[extra]:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            for other in requirement.extras:
                yield from requirements(other)
        else:
            yield requirement


def test_every_file_that_is_not_python_is_declared_as_data():
    declared = set()
    for package, patterns in SETTINGS["tool"]["setuptools"][
        "package-data"
    ].items():
        folder = ROOT / package.replace(".", "/")
        declared |= {p for pattern in patterns for p in folder.glob(pattern)}
    assert set(package_files()) - declared == set()


def test_every_folder_of_modules_is_a_package():
    for path in (ROOT / "byol_tf").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    assert SETTINGS["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "byol_tf.__version__"
    }
    assert str(Version(byol_tf.__version__)) == byol_tf.__version__


def test_the_newest_entry_of_the_changelog_is_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    entries = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", text, re.M)
    released = [entry for entry in entries if entry[0] != "Unreleased"]
    assert released[0][0] == byol_tf.__version__
    for _, date in released:
        datetime.date.fromisoformat(date)
    allowed = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= allowed


def test_the_changelog_names_modules_that_are_there():
    text = (ROOT / "CHANGELOG.md").read_text()
    table = text.split("| before | now |")[1].split("\n\n")[0]
    now = [line.split("|")[2] for line in table.splitlines()[2:]]
    found = re.findall(r"`(byol_tf[\w.]*)\.?(?:\{(.*?)\})?`", "".join(now))
    assert len(found) > 30
    for room, modules in found:
        for module in modules.split(", "):
            path = ROOT / f"{room}.{module}".strip(".").replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").is_file(), path


def test_all_holds_every_extra_and_dev_holds_all():
    single = set(EXTRAS) - {"all", "dev", "hub"}  # see pyproject.toml on hub
    names = {extra: {r.name for r in requirements(extra)} for extra in EXTRAS}
    assert names["all"] == set().union(*(names[extra] for extra in single))
    assert names["all"] < names["dev"]
    assert {"onnx", "litert", "serve", "search", "notebook"} <= single


def test_what_is_installed_satisfies_every_bound():
    wrong = []
    for requirement in requirements("all"):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not wanted here
        if not requirement.specifier.contains(version):
            wrong.append(f"{requirement} but {version}")
    assert not wrong


def test_the_citation_file_has_what_cff_1_2_requires():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    required = {"cff-version", "message", "title", "authors"}
    assert required <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["version"] == byol_tf.__version__
    assert citation["license"] == PROJECT["license"]
    assert all({"name"} <= set(author) for author in citation["authors"])
    (paper,) = citation["references"]
    assert paper["year"] == 2020 and len(paper["authors"]) == 14
    assert {"type", "title", "authors"} <= set(paper)


@pytest.mark.slow
def test_a_wheel_holds_all_of_the_package_and_both_licences(tmp_path):
    if Version(metadata.version("setuptools")) < Version("77"):
        pytest.skip("setuptools 77 builds it; `pip install -e .[dev]` has it")
    source = tmp_path / "source"
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in filter(None, names):
        target = source / name
        if (ROOT / name).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    pip += ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(pip, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert byol_tf.__version__ in wheel.name
    inside = set(zipfile.ZipFile(wheel).namelist())
    for path in package_files(suffixes_left_out=(".pyc",)):
        assert path.relative_to(ROOT).as_posix() in inside
    for path in (ROOT / "configs").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        assert f"byol_tf/{name}" in inside
    licences = [name for name in inside if "/licenses/" in name]
    assert len(licences) == 2
