"""Parses flags and checks paths before TensorFlow is imported.

A command imports `byol_tf` inside its `main`, in a block of `importing`, after
it has checked its paths; no module of `configs` imports it. So `--help` and
errors about a flag or path appear at once.
"""

import contextlib
import difflib
import functools
import importlib
import json
import os
import pathlib
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

import yaml
from absl import app, flags, logging

from configs import fields, kinds, signals, silence, words

USAGE_ERROR = 2
GIVE_DATA = "name a dataset by --data=DIR, the run's own or another"
CHANGE = "change"  # flag of `pretrain`
ENCODER = "encoder.keras"
EMBEDDINGS = "embeddings.parquet"


def run_script(
    main: Callable[[], None], default_config: str | None = None
) -> None:
    """Parses the flags, runs `main`, and turns user errors into one line.

    A wrong flag, config key, value, path or data set (`ValueError`, `OSError`
    and what the flag parsers raise) ends with `error: ...` on stderr and exit
    status 2; `--verbosity=1` shows the traceback. Ctrl-C ends with status
    130. Anything else is a bug and keeps its traceback.

    Args:
        main: the command's function.
        default_config: file used if `--config` is not given. As the default of
            the flag it would be read, with its overrides, when the flag is
            defined, which is too early to report errors.
    """
    parse = functools.partial(_parse, default_config=default_config)
    with contextlib.suppress(AttributeError):  # names may not be UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    app.run(lambda _: _guarded(main), flags_parser=parse)


def check_encoder(workdir: str) -> None:
    """Raises a ValueError if a run has no encoder.

    Also refuses fields that have no effect on the run's kind of data.
    """
    if not (pathlib.Path(workdir) / ENCODER).is_file():
        raise ValueError(
            f"no encoder in {workdir} (looked for {ENCODER}); pretrain one "
            f"with byol_tf pretrain DATA {shlex.quote(str(workdir))}, or wait "
            "until its training ends"
        )
    _check_fields(workdir)


def check_classifier(workdir: str) -> None:
    """Raises a ValueError if a run folder has no fine-tuned model.

    Also refuses fields that have no effect on the run's kind of data.
    """
    if not any(pathlib.Path(workdir).glob("classifier*.keras")):
        raise ValueError(
            f"no classifier.keras in {workdir}; fine-tune first: byol_tf "
            f"finetune {shlex.quote(str(workdir))}"
        )
    _check_fields(workdir)


def _check_fields(workdir):
    """Refuses fields that the run's kind of data does not use."""
    try:
        file = pathlib.Path(workdir) / "preprocessor.json"
        modality = json.loads(file.read_text("utf-8"))["modality"]
    except (KeyError, OSError, RecursionError, TypeError, ValueError):
        return  # the package reads it again and reports the error
    kinds.check_fields(modality, sys.argv)


def check_start(config, workdir: str, changes: Sequence[str] = ()) -> None:
    """Raises a ValueError if a configuration or its data is missing.

    Args:
        config: configuration of the run; None: that in the run folder.
        workdir: the run folder.
        changes: "field=value" changes to an existing run.
    """
    if config is None and not _config_file(workdir).is_file():
        if changes:
            raise ValueError(
                f"--config.{changes[0]} changes a field of a configuration, "
                f"and {workdir} holds none; name one: "
                f"--config=quickstart --config.{changes[0]}"
            )
        raise ValueError(
            f"no run in {workdir} to continue; start one with byol_tf pretrain "
            f"DATA {shlex.quote(str(workdir))}, or by a recipe: "
            "--config=quickstart"
        )
    check_weights(config, workdir)
    if config:
        words.check_run(config)
    check_data(config.data if config else {}, workdir)


def check_weights(config, workdir: str) -> None:
    """Raises a ValueError if the weights to start from do not exist."""
    weights = config.encoder.weights if config else ""
    kept = pathlib.Path(workdir) / "start.keras"
    given = os.path.exists(os.path.expanduser(weights))
    named = weights in ("", *words.NAMED)
    if not named and not given and not kept.is_file():
        raise ValueError(
            f"encoder.weights={weights}: there is no such file or folder; "
            f"weights that go by a name are {', '.join(words.NAMED)}"
        )


def check_data(section: Mapping, workdir: str, advice: str = "") -> None:
    """Raises a ValueError if the folder or file of a dataset does not exist.

    Args:
        section: section `data` of a configuration; fields that are None or
            missing take the run's values.
        workdir: the run folder.
        advice: added to the error if the run's own data are missing.
    """
    given = {key: value for key, value in section.items() if value is not None}
    data = {**_kept_data(workdir), **given}
    source = data.get("source")
    path = os.path.expanduser(data.get("dir") or "")
    try:
        if source in ("arrays", "folder", "listed", "tfrecord") and not path:
            raise ValueError("`dir` names no folder or file")
        if source == "arrays" and not os.path.isfile(path):
            raise ValueError(f"there is no file {path!r}; name an .npz file")
        if source == "folder":
            check_files_of(path)
        if source in ("listed", "tfrecord") or (source == "tfds" and path):
            check_folder(path)
    except ValueError as error:
        advice = f"; {advice}" if advice and not given.get("dir") else ""
        raise ValueError(f"config.data: {error}{advice}") from error


def check_files_of(path: str) -> None:
    """Raises a ValueError if there is no such folder or file."""
    if path.startswith("tfds:"):
        raise ValueError(
            "files are needed here: a folder, a .csv or an .npz file. "
            f"Received: {path!r}"
        )
    if "://" in path:
        return  # a URL, which the package checks
    if path.lower().endswith((".csv", ".npz")):
        if not os.path.isfile(path):
            raise ValueError(f"there is no file {path!r}")
    elif not os.path.exists(path):
        raise ValueError(f"there is no file or folder {path!r}")


def check_folder(path: str) -> None:
    """Raises a ValueError if there is no such folder."""
    if not os.path.isdir(path):
        raise ValueError(f"there is no folder {path!r}")


def check_files(flag: str, paths: Iterable[str]) -> None:
    """Raises a ValueError that names the flag if a file does not exist."""
    for path in paths:
        if not os.path.isfile(path):
            raise ValueError(f"--{flag}={path}: there is no such file")


def embeddings_path(workdir, out, embeddings) -> pathlib.Path:
    """Returns the Parquet file that the flags of `embed` name.

    Raises:
        ValueError: if none of them is given, two name different files, or a
            new one has another extension than .parquet.
    """
    suffix = pathlib.Path(out or "").suffix.lower()
    if suffix not in ("", ".parquet") and not os.path.isfile(out):
        raise ValueError(
            f"--out={out} would be a Parquet file and not {suffix}; name it "
            f"{pathlib.Path(out).with_suffix('.parquet')}"
        )
    if out and embeddings and pathlib.Path(out) != pathlib.Path(embeddings):
        raise ValueError("--out and --embeddings name different files")
    if not (out or embeddings or workdir):
        raise ValueError(
            "--workdir=RUN is needed to embed a folder, or "
            f"--embeddings={EMBEDDINGS} to search in what was embedded"
        )
    return pathlib.Path(out or embeddings or pathlib.Path(workdir) / EMBEDDINGS)


def check_embeddings(path: pathlib.Path) -> None:
    """Raises a ValueError if there is no file of embeddings."""
    if not path.is_file():
        raise ValueError(
            f"there are no embeddings in {path}; make them with "
            "byol_tf embed RUN DIR --out=FILE"
        )


def seconds(flag: str, text: str | None) -> float | None:
    """Returns the seconds of a time such as 45s, 90m or 2h; None for None.

    Raises:
        ValueError: if it is not such a time, or zero; names the flag.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or not float(found[1]):
        raise ValueError(
            f"--{flag} must be a time such as 45s, 90m or 2h. "
            f"Received: {text!r}"
        )
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def fail(error: BaseException) -> None:
    """Ends the process with status 2 and `error: ...` in one line."""
    message = str(error) or type(error).__name__
    if isinstance(error, (KeyError, AttributeError)) and error.args:
        reason = error.args[0]
        while isinstance(reason, Exception) and reason.args:
            reason = reason.args[0]
        message = f"unknown configuration field {reason}"
    if isinstance(error.__cause__ or error.__context__, FileNotFoundError):
        message = str(error.__cause__ or error.__context__)
    print("error: " + _printable(message), file=sys.stderr)
    sys.exit(USAGE_ERROR)


def _printable(message):
    """Returns one line; escapes control characters, which names may contain."""
    signs = (
        sign if sign.isprintable() else sign.encode("unicode_escape").decode()
        for sign in " ".join(message.split())
    )
    return "".join(signs)


def _parse(argv, default_config=None):
    try:
        if default_config:
            flags.FLAGS.set_default("config", default_config)
        return flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        hint = _hint(error.flagname, argv, default_config)
        fail(ValueError(f"{error}{hint}"))
    except flags.IllegalFlagValueError as error:
        fail(_missing(error, argv[0]))
    except (
        flags.Error,
        AttributeError,
        KeyError,
        OSError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        fail(error)


def spelled(arguments: Sequence[str]) -> list[str]:
    """Returns arguments with the flags' own spelling, the config file first.

    `--stop-after` becomes `--stop_after`. A ~ at the start of a value becomes
    the home folder, which the shell expands only at the start of a word.
    """
    result = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        known = name.lstrip("-").replace("-", "_")
        if name.startswith("-") and known in flags.FLAGS:
            name = f"--{known}"
        home = value.startswith("~") and os.path.expanduser(value)
        result.append(f"{name}{equals}{home or value}")
    return sorted(result, key=lambda word: not word.startswith("--config="))


def changes(arguments: Sequence[str]) -> list[str]:
    """Turns fields given without `--config` into changes to the run's own."""
    if any(word.startswith("--config=") for word in arguments):
        return list(arguments)
    start = re.compile(r"^--?config\.")
    return [start.sub(f"--{CHANGE}=", word) for word in arguments]


def _hint(flag, argv, default_config):
    """Suggests what an unknown flag may have meant."""
    if "config" not in flags.FLAGS:
        return ""
    name = pathlib.Path(default_config).stem if default_config else "base"
    module = importlib.import_module(f"configs.{name}")
    names = [name for name, _ in fields.flat(module.get_config())]
    name = flag.removeprefix("config.")
    meant = [n for n in names if n == name or n.endswith(f".{name}")]
    meant = meant or difflib.get_close_matches(name, names, n=1)
    given = [a.partition("=")[2] for a in argv if a.startswith(f"--{flag}=")]
    value = (given or ["..."])[0]
    meant = " or ".join(f"--config.{name}={value}" for name in meant[:3])
    return f"; did you mean {meant}?" if meant else ""


def _missing(error, program):
    """Returns a clearer error if a required flag has no value."""
    found = re.match(r"flag --(\w+)=None:", str(error))
    if not found:
        return error
    about = " ".join(flags.FLAGS[found[1]].help.split()).rstrip(".")
    return ValueError(
        f"--{found[1]} is missing ({about}); `{program} --help` shows how to "
        "call it"
    )


def _guarded(main):
    logging.use_absl_handler()
    logging.get_absl_handler().addFilter(silence.is_ours)
    warnings.showwarning = _show_warning
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged files
    try:
        signals.interrupt()
        main()
    except KeyboardInterrupt:
        print(f"\n{signals.INTERRUPTED_LINE}", file=sys.stderr)
        sys.exit(signals.INTERRUPTED)
    except (ValueError, OSError) as error:
        if logging.level_debug():
            raise
        fail(error)


def _show_warning(message, category, *_args, **_kwargs):
    logging.warning("%s: %s", category.__name__, message)


def _config_file(workdir):
    return pathlib.Path(workdir) / "config.yaml"


def _kept_data(workdir):
    """Returns the section `data` of a run's config.yaml; {} if unreadable."""
    try:
        values = yaml.safe_load(_config_file(workdir).read_text("utf-8"))
        return dict(values["data"])
    except (
        KeyError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
        yaml.YAMLError,
    ):
        return {}
