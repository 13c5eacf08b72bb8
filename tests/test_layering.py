"""The rooms of the package, and who may import whom: nothing points up."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "byol_tf"

GROUND = "checks files lines locks runtime seeds"
TOP = "api __main__"  # what a program and a terminal see: they may import all
MEMBERS = "image audio text history"
# What a room may import besides itself and, but for `losses`, the ground.
ROOMS = {
    "losses": "",
    "distribute": "",
    "reports": "",
    "layers": "distribute",
    "optim": "distribute",
    "methods": "losses layers optim distribute",
    "data": "distribute",
    "evaluation": "data optim reports",
    "training": "evaluation distribute layers",
    "modalities": "layers data reports",
    "tasks": "evaluation layers data modalities",
    "runs": "layers tasks modalities data",
    "export": "modalities evaluation",
    "serving": "",
    "search": "data evaluation reports",
}
ABOVE = " ".join(ROOMS)  # what a job may import; other jobs: `pretrain` alone
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.stem != "__init__")


def name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path):
    """Modules of the package, and names of others, that a file imports."""
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            outside |= {alias.name for alias in node.names}
        if not isinstance(node, ast.ImportFrom):
            continue
        if not (node.module or "").startswith("byol_tf"):
            outside.add(node.module or "")
            continue
        for alias in node.names:
            file = f"{node.module}.{alias.name}".replace(".", "/")
            is_module = (PACKAGE.parent / f"{file}.py").exists()
            full = f"{node.module}.{alias.name}" if is_module else node.module
            inside.add(full.removeprefix("byol_tf").removeprefix("."))
    return inside, outside


def allowed(importer, imported):
    if importer in TOP.split():
        return True
    room, *inner = importer.split(".")
    target, *rest = imported.split(".")
    if target in GROUND.split():
        return room != "losses"
    if room == "jobs":
        same = rest[:1] == inner[:1] or rest[0] == "pretrain" or len(rest) == 1
        if target == "modalities" and rest[0] in MEMBERS.split():
            return inner[0] == "convert"  # of the official image encoders
        return target in ABOVE.split() or (target == "jobs" and same)
    if room == target == "modalities":  # one member knows no other
        return rest[:1] == inner[:1] or rest[0] not in MEMBERS.split()
    if room == "systems":  # on top of all but the ways in
        return target not in TOP.split()
    if room == target:
        return True
    if target == "modalities" and room != "tasks" and rest:
        return rest[0] not in MEMBERS.split() and "modalities" in ROOMS[room]
    return target in ROOMS.get(room, "").split()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_imports_only_what_its_room_may(path):
    wrong = {i for i in imports(path)[0] if not allowed(name(path), i)}
    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_only_one_module_knows_how_configurations_are_made(path):
    outside = {module.split(".")[0] for module in imports(path)[1]}
    if name(path) == "data.annotations.yolo":
        outside -= {"yaml"}  # the format of its data.yaml
    if name(path) != "runs.config":
        assert not outside & {"ml_collections", "yaml", "configs"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_reads_flags_or_environment(path):
    text = path.read_text()
    assert "os.environ" not in text and "getenv" not in text
    assert "absl.flags" not in text and "import flags" not in text


def test_the_top_holds_the_ground_and_the_two_ways_in():
    top = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert top == {*GROUND.split(), *TOP.split()} and len(top) <= 8
