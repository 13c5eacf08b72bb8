"""What every script answers without TensorFlow: help, wrong flags and paths."""

import os
import signal
import subprocess
import sys
import time

import pytest

from byol_tf.distribute.strategy import STRATEGIES
from byol_tf.export.formats import WRITERS
from tests.support import doors
from tests.support.scripts import ROOT

SCRIPTS = (
    *("train", "eval_linear", "finetune", "export", "embed"),
    *("serve", "convert", "compare", "tune"),
)
# What each needs in order to be started at all.
NEEDED = {
    "serve": ["--model=."],
    "convert": ["--source=official.pkl", "--to=encoder.keras"],
    "export": ["--workdir=run", "--to=out"],
}
FAKES = ("tensorflow", "keras")
IMPORTED = [f"{name} was imported" for name in FAKES]
NO_FOLDER = "there is no file or folder '/nowhere'"
NO_FILE = "there is no file '/nowhere'"
NO_CONFIG = "no configuration file /nowhere.py"
NEW = [f"--config={ROOT}/configs/base.py", "--workdir=new"]
EMPTY, RUN = "--workdir=empty", "--workdir=run"
FOLDER = ["--config.data.source=folder", "--config.data.dir=/nowhere"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder to work in, and fakes whose import is an error of its own."""
    folder = tmp_path_factory.mktemp("doors")
    for name in FAKES:
        (folder / "fakes" / name).mkdir(parents=True)
        (folder / "fakes" / name / "__init__.py").write_text(
            f"raise SystemExit('{name} was imported')\n"
        )
    for name in ("encoder.keras", "classifier.keras"):
        (folder / "run" / name).parent.mkdir(exist_ok=True)
        (folder / "run" / name).touch()
    text = "data: {source: arrays, dir: /nowhere}\n"
    (folder / "run" / "config.yaml").write_text(text)
    (folder / "images").mkdir()
    (folder / "official.pkl").touch()
    return folder


def with_fakes(place, fakes="fakes"):
    return {**os.environ, "PYTHONPATH": str(place / fakes)}


def answer(place, script, *flags):
    """Exit status and what went to stdout and stderr."""
    program, environment = ROOT / f"{script}.py", with_fakes(place)
    done = doors.run(program, *flags, cwd=place, environment=environment)
    return done.returncode, done.stdout, done.stderr


def assert_told(place, script, flags, told):
    status, _, errors = answer(place, script, *flags)
    assert status == 2, errors
    (line,) = errors.splitlines()
    assert line.startswith("error: ") and told in line


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_fakes_show_an_import(place, script):
    flags = {
        "train": NEW,
        "eval_linear": [RUN, "--config.data.source=embedded"],
        "finetune": [RUN, "--predict=images"],
        "embed": [RUN, "--images=images"],
        "compare": [RUN],
        "tune": [RUN],
        **NEEDED,
    }
    _, _, errors = answer(place, script, *flags[script])
    assert errors.strip() in IMPORTED


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_names_the_flags(place, script):
    status, output, errors = answer(place, script, "--help")
    assert status == 1 and not errors
    own = "--model" if script == "serve" else "--workdir"
    assert own in output and f"{script}.py" in output


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_wrong_flag_is_told(place, script):
    told = "Unknown command line flag 'nothing'"
    flags = NEEDED.get(script, [RUN])
    assert_told(place, script, [*flags, "--nothing=1"], told)


@pytest.mark.parametrize(
    "script,flags,told",
    [
        ("train", [RUN, "--strategy=two"], "--strategy"),
        ("export", [RUN, "--to=out", "--format=tflite"], "--format must be"),
        ("serve", ["--model=.", "--port=70000"], "--port"),
        ("serve", ["--model=.", "--grpc_port=-2"], "--grpc_port"),
        (
            "train",
            [RUN, "data", "something"],
            "unexpected argument 'something'",
        ),
    ],
)
def test_a_wrong_value_of_a_flag_is_told(place, script, flags, told):
    assert_told(place, script, flags, told)


QUICKSTART = "--config=quickstart"
PLACED = ["--config.data.source=folder", "--config.data.dir=images"]


@pytest.mark.parametrize(
    "script,flags,advice,followed",
    [
        ("train", [EMPTY, "--config.epochs=3"],
         f"{QUICKSTART} --config.epochs=3", [QUICKSTART, "--config.epochs=3"]),
        ("train", [EMPTY], QUICKSTART, [QUICKSTART]),
        ("train", [QUICKSTART, "--epochs=3"], "--config.epochs=3",
         [QUICKSTART, "--config.epochs=3"]),
        ("finetune", [RUN, *PLACED, "--labels=25-each"], "25-per-class",
         [*PLACED, "--labels=25-per-class"]),
        ("embed", ["--images=images"], "--workdir=RUN", ["--images=images"]),
    ],
)  # fmt: skip
def test_the_advice_of_an_error_is_good_advice(
    place, script, flags, advice, followed
):
    assert_told(place, script, flags, advice)
    workdir = EMPTY if script == "train" else RUN
    _, _, errors = answer(place, script, workdir, *followed)
    assert errors.strip() in IMPORTED


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_of_the_package_may_be_asked_for(place, name):
    _, _, errors = answer(place, "train", *NEW, f"--strategy={name}")
    assert errors.strip() in IMPORTED


def test_every_format_of_the_package_may_be_asked_for(place):
    flags = [RUN, "--to=out", f"--format={','.join(WRITERS)}"]
    _, _, errors = answer(place, "export", *flags)
    assert errors.strip() in IMPORTED


@pytest.mark.parametrize("script", sorted({*SCRIPTS} - {"convert", "train"}))
def test_a_wrong_field_and_a_wrong_type_are_told(place, script):
    flags = NEEDED.get(script, [RUN])
    wrong = [*flags, "--config.nothing=1"]
    assert_told(place, script, wrong, "unknown configuration field 'nothing'")
    field = {"export": "size", "embed": "size", "finetune": "seeds"}
    field = field.get(script, "workers")
    field = "seed" if script == "eval_linear" else field
    assert_told(place, script, [*flags, f"--config.{field}=many"], field)


@pytest.mark.parametrize(
    "script,flags,told",
    [
        ("train", [EMPTY], "no run in empty to continue"),
        ("train", [RUN], f"config.data: {NO_FILE}"),
        ("train", [RUN, "--config=/nowhere.py"], NO_CONFIG),
        ("train", [RUN, "--epochs=3"], "mean --config.epochs=3?"),
        ("train", [RUN, "--base_lr=1"], "mean --config.optimizer.base_lr=1?"),
        ("tune", [EMPTY, "--trials=9"], "mean --config.trials=9?"),
        (
            "train",
            [EMPTY, "--config.epochs=3"],
            "--config=quickstart --config.epochs=3",
        ),
        ("train", [*NEW, "--stop-after=2 days"], "such as 45s, 90m or 2h"),
        ("train", [*NEW, "--stop-after=0s"], "Received: '0s'"),
        ("train", ["--config.epoch=3", *NEW], 'instead of "epoch"'),
        (
            "train",
            [RUN, "--config=~/nowhere.py"],
            os.path.expanduser("~/nowhere.py"),
        ),
        (
            "embed",
            ["--workdir=~/nowhere", "--images=images"],
            os.path.expanduser("~/nowhere"),
        ),
        (
            "eval_linear",
            [RUN, FOLDER[0], "--config.data.dir=~/nowhere"],
            os.path.expanduser("~/nowhere"),
        ),
        (
            "train",
            [RUN, f"--config={ROOT}/configs/imagenet.py:few"],
            "followed by a number of epochs",
        ),
        (
            "train",
            [RUN, f"--config={ROOT}/configs/imagenet.py", "--config.no=1"],
            "unknown configuration field 'no'",
        ),
        (
            "train",
            [EMPTY, f"--config={ROOT}/configs/cifar10.py", *FOLDER],
            f"config.data: {NO_FOLDER}",
        ),
        ("eval_linear", [EMPTY], "no encoder in empty"),
        ("eval_linear", [RUN], f"config.data: {NO_FILE}"),
        ("eval_linear", [RUN, *FOLDER], f"config.data: {NO_FOLDER}"),
        ("eval_linear", [RUN, "--config=/nowhere.py"], NO_CONFIG),
        ("finetune", [EMPTY], "no encoder in empty"),
        ("finetune", [RUN, "--labels=10%,0%"], "Received: '0%'"),
        ("finetune", [RUN, "--labels=101%"], "Received: '101%'"),
        ("finetune", [RUN, "--labels=ten"], "Received: 'ten'"),
        ("finetune", [RUN, "--task=segmentation"], "one of classification"),
        ("train", [*NEW, "--config.encoder.stem=big"], "`encoder.stem`"),
        ("train", [*NEW, "--config.encoder.name=resnet51"], "`encoder.name`"),
        ("train", [*NEW, "--config.augment.flip=1.5"], "`augment.flip`"),
        ("train", [*NEW, "--config.precision=float8"], "`precision`"),
        (
            "train",
            [*NEW, "--config.encoder.weights=/nowhere"],
            "no such file or folder",
        ),
        ("finetune", [RUN, *FOLDER], f"config.data: {NO_FOLDER}"),
        ("finetune", [EMPTY, "--predict=images"], "fine-tune first"),
        ("finetune", [RUN, "--predict=/nowhere"], NO_FOLDER),
        ("export", [EMPTY, "--to=out"], "no encoder in empty"),
        ("export", [RUN, "--to=out", *FOLDER], f"config.data: {NO_FOLDER}"),
        ("embed", [EMPTY, "--images=images"], "no encoder in empty"),
        ("embed", [RUN, "--images=/nowhere"], NO_FOLDER),
        ("embed", [RUN, "--map=map.html"], "no embeddings in run/embed"),
        ("embed", [RUN], "give --images, --query"),
        ("embed", ["--images=images"], "--workdir=RUN is needed"),
        (
            "embed",
            [RUN, "--images=images", "--query=/nowhere.png"],
            "--query=/nowhere.png: there is no such file",
        ),
        ("serve", ["--model=/nowhere"], "--model must be a folder"),
        ("serve", [], "--model"),
        (
            "convert",
            ["/nowhere.pkl", "--to=a.keras"],
            "--source=/nowhere.pkl: there is no such file",
        ),
        ("convert", ["official.pkl"], "either --to or --workdir"),
        ("compare", [RUN, "--config=/nowhere.py"], NO_CONFIG),
        (
            "compare",
            [RUN, "--config.base=/nowhere.py"],
            "no configuration file /nowhere.py",
        ),
        (
            "tune",
            [RUN, "--config.base=/nowhere.py"],
            "no configuration file /nowhere.py",
        ),
        ("tune", ["--measure=empty"], "no encoder in empty"),
        ("tune", [], "--workdir"),
    ],
)
def test_a_wrong_path_is_told(place, script, flags, told):
    assert_told(place, script, flags, told)


@pytest.fixture(scope="module")
def slow(place):
    """Fakes that never end, and tell by a file that their import began."""
    for name in FAKES:
        path = place / "slow" / name / "__init__.py"
        path.parent.mkdir(parents=True)
        path.write_text(
            "import pathlib, time\n"
            "pathlib.Path('began').touch()\n"
            "try:\n    time.sleep(60)\n"
            "except BaseException:\n    pass  # as a careless library might\n"
            "raise ImportError('no signal came')\n"
        )
    return place


@pytest.fixture(scope="module")
def ctrl_c():
    """Heeds Ctrl-C; a runner in the background ignores it, and its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(place, script, *flags, fakes):
    """A process of its own, to which signals are sent."""
    program = [str(ROOT / f"{script}.py")]
    if script == "byol_tf":
        program = [str(ROOT / script), "embed"]
    return subprocess.Popen(
        [sys.executable, *program, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=place,
        env=with_fakes(place, fakes),
    )


STOPPED = "\nstopped; run the same command to go on\n"
INTERRUPTED = "\ninterrupted; run the same command again\n"


@pytest.mark.parametrize(
    "script,flags,number,status,output,errors",
    [
        ("train", NEW, signal.SIGINT, 130, "", INTERRUPTED),
        ("train", NEW, signal.SIGTERM, 0, STOPPED, ""),
        ("tune", [RUN], signal.SIGTERM, 130, "", INTERRUPTED),
        ("finetune", [RUN, "--predict=images"], 2, 130, "", INTERRUPTED),
        ("embed", [RUN, "--images=images"], 15, 130, "", INTERRUPTED),
        ("serve", ["--model=."], signal.SIGTERM, 0, STOPPED, ""),
    ],
)
def test_a_signal_during_the_import_ends_with_its_line_and_status(
    ctrl_c, slow, script, flags, number, status, output, errors
):
    (slow / "began").unlink(missing_ok=True)
    process = start(slow, script, *flags, fakes="slow")
    while not (slow / "began").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    told = process.communicate(timeout=60)
    assert (process.returncode, *told) == (status, output, errors)


@pytest.fixture(scope="module")
def early(place):
    """A library of the flags that never ends to be imported."""
    (place / "early" / "absl").mkdir(parents=True)
    (place / "early" / "absl" / "__init__.py").write_text(
        "import pathlib, time\npathlib.Path('began').touch()\ntime.sleep(60)\n"
    )
    return place


@pytest.mark.parametrize("script", [*SCRIPTS, "byol_tf"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_heeded_before_the_flags_are_known(
    ctrl_c, early, script, number
):
    (early / "began").unlink(missing_ok=True)
    process = start(early, script, fakes="early")
    while not (early / "began").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    seen = process.communicate(timeout=60)
    assert (process.returncode, *seen) == (130, "", INTERRUPTED)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs").glob("*.py")), ids=lambda path: path.stem
)
def test_no_configuration_imports_the_package(path):
    text = path.read_text()
    for name in ("byol_tf", *FAKES):
        assert f"import {name}" not in text and f"from {name}" not in text


def test_a_name_that_is_not_utf_8_is_printed(place):
    program = "import sys; from configs import door; sys.stdout.reconfigure("
    program += "errors='strict'); door.run_script(lambda: print('caf\\udce9'))"
    done = doors.run("-c", program, cwd=ROOT, environment=with_fakes(place))
    assert (done.returncode, done.stdout) == (0, "caf\\udce9\n"), done.stderr
