"""Runs the commands of the documents, with sizes that take seconds.

A command runs as it stands in the document, in a folder that looks like a
fresh checkout, with a home folder of tiny images; flags that make it short
are appended. What cannot be run is listed with its reason.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from tests.support.scenes import make_kites, make_scenes
from tests.support.scripts import CONTEXT, ROOT, redirect, run_here

# Beginnings of commands that no test runs, and why.
NOT_RUN = {
    "make demo": "takes five minutes; the same script runs here, shorter",
    "make test": "runs these tests",
    "ONEDNN_MAX_CPU_ISA=": "runs these tests",
    "TF_ENABLE_ONEDNN_OPTS=": "runs these tests",
    "TF_NUM_INTRAOP_THREADS=": "runs these tests",
    "make peers": "downloads 6 GB",
    "python -m benchmarks": "minutes each; they have tests of their own",
    "python benchmarks/compiled": "needs a GPU, and JAX or PyTorch",
    "pip install": "downloads packages",
    "tensorboard": "a server that does not end",
    "BYOL_CONFORMANCE=": "needs a second file of official values",
    "docker": "needs Docker",
    "python train.py --strategy=mirrored": "needs two GPUs",
    "python train.py --strategy=tpu": "needs a TPU",
    "TF_CONFIG=": "each waits for the other; test_many_devices.py does it",
    "srun": "needs Slurm",
    "kubectl": "needs Kubernetes",
    "curl": "needs the server of the command before it",
    "byol_tf compare": "minutes; test_compare_script.py runs another",
    "python train.py --workdir=runs/quickstart": (
        "the README goes on with a finished run in the same way"
    ),
    "byol_tf pretrain $HOME/photos runs/cells": (
        "test_presets.py holds what the preset sets"
    ),
    "byol_tf pretrain $HOME/photos runs/warm": (
        "test_start.py starts from these weights"
    ),
    "byol_tf pretrain $HOME/texts runs/language": (
        "test_hub.py starts from a folder of Keras Hub"
    ),
    "byol_tf pretrain $HOME/shop": "test_jobs.py of histories pretrains one",
    "byol_tf system recommender": "test_verbs.py calls what it calls",
    "byol_tf system explore": "tests/systems/explore runs a shorter one",
    "byol_tf evaluate runs/texts": "test_jobs.py of texts evaluates a run",
    "byol_tf finetune runs/texts": "test_jobs.py of texts fine-tunes a run",
    "byol_tf predict runs/texts": "test_jobs.py of texts predicts a table",
    "byol_tf export runs/texts": "test_jobs.py of texts exports a run",
    "arecord": "needs a microphone",
    "byol_tf pretrain words": "modalities/audio/test_jobs.py does the same",
    "byol_tf pretrain $HOME/sounds": "modalities/audio/test_jobs.py",
    "byol_tf evaluate runs/words": "modalities/audio/test_jobs.py",
    "byol_tf finetune runs/words": "modalities/audio/test_transcribing.py",
    "byol_tf finetune runs/sounds": "modalities/audio/test_transcribing.py",
    "byol_tf predict runs/words": "modalities/audio/test_transcribing.py",
    "byol_tf predict runs/sounds": "modalities/audio/test_transcribing.py",
    "byol_tf export runs/words": "modalities/audio/test_transcribing.py",
    "byol_tf serve exported/words": "serving has tests of its own",
    "byol_tf system customer_service serve": (
        "a server; tests/systems/customer_service asks its routes"
    ),
    "byol_tf evaluate runs/warm": "goes on with the run before it",
    "byol_tf finetune runs/warm": "goes on with the run before it",
    "byol_tf convert efficientnet_lite0": "test_published.py makes such a run",
    "byol_tf embed runs/imagenet": "goes on with the run before it",
    "byol_tf tune $HOME/photos runs/colours": "forty minutes",
    "byol_tf tune --workdir": "minutes; test_tune_script.py runs another",
    "python train.py --config=runs/tune/best_config.py": (
        "test_tune_script.py trains with such a file"
    ),
}
# Run folders of trainings that differ from others in settings alone: their
# configuration is read and checked, and nothing is trained.
CHECKED = (
    *("runs/first_look", "runs/accumulated", "runs/collapsed"),
    *("runs/barlow", "runs/no_predictor", "runs/simclr", "runs/with_mfu"),
    "runs/look",
)
# Run by a shell as they are.
SHELL = ("tail ", "python -c ", "ls ", "cat ", "cp ", "mkdir ")
SHELL += ("python -m tools.",)
FEW = {"config.batch_size": 16, "config.monitor.samples": 16}
SMALL = {
    "config.size": 48,
    "config.batch_size": 4,
    "config.view.jitter": 0.0,
    "config.eval_every": 1,
}
OF_IMAGES = ("grayscale", "jitter", "blur", "solarize")
# Appended to the commands that begin so, where they do not say so themselves;
# those with an exclamation mark even then, those with None not.
SHORTER = {
    "train.py": {
        "config.epochs!": 2,
        "config.batch_size": 64,
        "config.optimizer.warmup_epochs": 0.0,
        "config.data.source": "arrays",
        "config.data.dir": "$HOME/images.npz",
        "config.precision": "float32",
        # What cannot happen need not be compiled.
        "config.augment.grayscale": 0.0,
        "config.augment.jitter": 0.0,
        "config.augment.blur": "(0.0,0.0)",
        "config.augment.solarize": "(0.0,0.0)",
        "config.encoder.blocks": "(1, 1)",
        "config.encoder.widths": "(8, 8)",
        "config.heads.hidden_size": 8,
        "config.heads.projection_size": 4,
        # As many as in a batch: no other views are compiled.
        "config.monitor.samples": 64,
        "config.evaluate.draws": 2,
    },
    "eval_linear.py": {
        "config.sgd.epochs": 1,
        "config.sgd.random_encoder": False,
        "config.sgd.batch_size": 20,
        "config.sgd.learning_rates": "(0.4,)",
        "config.logistic.penalties": "(0.01,)",
        "config.bootstrap.resamples": 50,
    },
    # Else it sees images of 256 pixels.
    "eval_linear.py --workdir=runs/official": {
        "config.data.image_size": 64,
        "config.size": 56,
    },
    "finetune.py": {
        "config.seeds!": 1,
        "config.variants": "('fine-tuned',)",
        "config.learning_rates": "(0.1,)",
        "config.head_learning_rates": "(1.0,)",
        "config.min_steps": 2,
        "config.max_steps": 2,
    },
    # An encoder of texts takes one width, and what images have is refused.
    "train.py $HOME/texts": {
        **FEW,
        **dict.fromkeys(
            [f"config.augment.{name}" for name in OF_IMAGES]
            + ["config.encoder.blocks"]
        ),
        "config.encoder.widths": "(8,)",
    },
    # Few images, which are drawn.
    "train.py $HOME/cells": FEW,
    "train.py $HOME/mice": FEW,
    "finetune.py runs/objects": SMALL,
    "finetune.py runs/points": SMALL,
    "export.py": {
        "config.litert.precisions": "float32",
        "config.verify.images": 20,
        "config.verify.batch": 8,
        "config.verify.repeats": 1,
    },
    "tune.py": {"config.common": "('augment.jitter=0.0',)"},
    "convert.py": {},
    "embed.py": {},
    "embed.py --workdir=runs/official": {
        "config.image_size": 64,
        "config.size": 56,
    },
    "predict.py": {},
    "system.py": {},
    "serve.py": {"port": 0, "grpc_port": 0},
}
DEMO = (
    "python train.py --config=configs/quickstart.py --workdir=runs/quickstart"
)
# Whose functions are compiled. A step or two of others are done sooner than
# they are compiled, and the tests of those scripts compile them.
COMPILED = ("export.py", "serve.py")
# What `byol_tf <name>` runs, where the script is not called so.
SCRIPTS = {"pretrain": "train.py", "evaluate": "eval_linear.py"}
# Exchanged in programs.
FEWER = {"epochs=20": "epochs=2"}


def kind(command: str) -> str | None:
    """How a command is run: not, by a shell, or as which script."""
    if command.startswith(tuple(NOT_RUN)):
        return "not"
    if any(f"--workdir={folder}" in command.split() for folder in CHECKED):
        return "checked"
    if command.startswith(SHELL):
        return "shell"
    program, script, *_ = scripted(command).split()
    return script if program == "python" and script in SHORTER else None


def scripted(command: str) -> str:
    """A command `byol_tf <name>` as one of its script; others as they are."""
    program, name, *rest = command.split(" ", 2)
    if program != "byol_tf":
        return command
    return " ".join(["python", SCRIPTS.get(name, f"{name}.py"), *rest])


def checkout(folder: pathlib.Path) -> pathlib.Path:
    """What a user's checkout has, and a home folder of tiny images."""
    folder.mkdir()
    for path in (*ROOT.glob("*.py"), ROOT / "configs", ROOT / "tools"):
        (folder / path.name).symlink_to(path)
    for path in (ROOT / "docs" / "guides").glob("*.md"):
        copy = folder / "docs" / "guides" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    home = folder / "home"
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    images = rng.integers(0, 256, (200, 12, 12, 3), np.uint8)
    images[..., :6, :] //= (1 + labels).astype(np.uint8)[:, None, None, None]
    for name in ("photos", "new_photos", "labelled"):
        for index in range(160 if name == "photos" else 24):
            path = home / name / f"class{index % 4}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[index]).save(path)
    for index, name in enumerate(("bag.png", "dress.png")):
        Image.fromarray(images[index]).save(home / name)
    for draw, name in ((make_scenes, "cells"), (make_kites, "mice")):
        draw(home / name)
        draw(home / "drawn" / name, train=1, test=3)
        (home / "drawn" / name / "images").rename(home / f"new_{name}")
    (home / "texts").mkdir()
    for name, count in (("train", 80), ("test", 24)):
        rows = (
            f"a {('red', 'green')[n % 2]} text {n},{n % 2}\n"
            for n in range(count)
        )
        (home / "texts" / f"{name}.csv").write_text(
            "".join(["text,label\n", *rows])
        )
    official = ROOT / "tests" / "data" / "official_tiny_checkpoint.pkl"
    (folder / "official.pkl").symlink_to(official)
    arrays = {"train": slice(160), "test": slice(160, None)}
    np.savez(
        home / "images.npz",
        **{f"{name}_images": images[part] for name, part in arrays.items()},
        **{f"{name}_labels": labels[part] for name, part in arrays.items()},
    )
    return folder


def copied(base, folder):
    """A sandbox like `base`, with the demo's run in it."""
    subprocess.run(["cp", "-a", str(base), str(folder)], check=True)
    config = folder / "runs" / "quickstart" / "config.yaml"
    config.write_text(config.read_text().replace(str(base), str(folder)))
    return folder


def run_all(folder, todo) -> list[str]:
    """Runs commands and programs in turn; what failed, with its output."""
    failed = []
    for number, text in enumerate(todo):
        log = folder / f"{number}.log"
        if kind(text) == "shell":
            code = _in_shell(folder, text, log)
        else:
            process = CONTEXT.Process(
                target=_in_child, args=(str(folder), text, str(log))
            )
            process.start()
            if kind(text) == "serve.py":
                _stop_once_it_listens(process, log)
            process.join(300)
            code = process.exitcode
        if code:
            tail = log.read_text(errors="replace")[-1500:]
            failed.append(f"$ {text}\n(exit status {code})\n{tail}")
    return failed


def _stop_once_it_listens(process, log):
    while process.is_alive() and not (
        log.exists() and "REST:" in log.read_text(errors="replace")
    ):
        time.sleep(0.2)
    process.terminate()


def _in_shell(folder, command, log):
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}"
    with open(log, "wb") as output:
        return subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env={**os.environ, "PATH": path + os.environ["PATH"]},
            stdout=output,
            stderr=output,
        ).returncode


def _in_child(folder, text, log):
    redirect(1, log)
    os.dup2(1, 2)
    os.chdir(folder)
    os.environ["HOME"] = str(pathlib.Path(folder) / "home")
    sys.stdout.reconfigure(line_buffering=True)
    tf.config.run_functions_eagerly(kind(text) not in COMPILED)
    if kind(text):
        words = shlex.split(os.path.expandvars(shorter(text)))
        own = str(ROOT / "byol_tf" / "__main__.py")
        run_here([own, *words[1:]] if words[0] == "byol_tf" else words[1:])
    else:
        for many, few in FEWER.items():
            text = text.replace(many, few)
        exec(compile(text, "document", "exec"), given())


def shorter(command: str) -> str:
    script, words = kind(command), shlex.split(command)
    named = {word.split("=")[0].lstrip("-") for word in words}
    by_place = [word for word in words[2:] if not word.startswith("-")]
    fresh = words[0] == "byol_tf" and len(by_place) == 2  # DATA RUN
    continued = script == "train.py" and "config" not in named and not fresh
    flags = {}
    for beginning, values in SHORTER.items():
        if scripted(command).startswith(f"python {beginning}"):
            flags |= values
    if fresh:  # it names its data itself
        flags = {k: v for k, v in flags.items() if "config.data" not in k}
    for key, value in flags.items():
        forced = key.endswith("!")
        wanted = forced or key not in named
        if wanted and not continued and value is not None:
            command += f" --{key.rstrip('!')}={shlex.quote(str(value))}"
    return command


def given() -> dict:
    """Names that programs of the documents take as there."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 80, 64, 3), np.uint8)
    small = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
    return {
        "images": images,
        "images_dataset": tf.data.Dataset.from_tensors(small),
        "representations": rng.normal(size=(40, 8)).astype(np.float32),
    }
