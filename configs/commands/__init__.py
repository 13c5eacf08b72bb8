"""The commands of `byol_tf`, one module each, and how to start one.

A module has flags, `main()`, and `POSITIONAL`, the flags that may be given
without a name, as in `byol_tf embed RUN DIR`; there are several tuples if this
depends on the number of arguments. Like all of `configs`, they import the
package only after flags and paths have been checked.
"""

import functools
import importlib
import pathlib
import sys

from absl import flags

from configs import door, fields
from configs.command_line import FOLDER, check_file, find

# Name: positional arguments, and what it does, in the order of use.
COMMANDS = {
    "pretrain": "DATA RUN            pretrain an encoder on unlabelled data",
    "evaluate": "RUN                 measure it: linear classifiers, kNN",
    "finetune": "RUN                 fine-tune it with few or all labels",
    "predict": "RUN DIR             predict files with the fine-tuned model",
    "export": "RUN OUT             write a SavedModel, ONNX, LiteRT",
    "serve": "OUT                 serve an export by REST and gRPC",
    "select": "RUN DIR             choose what to label next",
    "embed": "RUN DIR             embed a folder; search, duplicates, map",
    "compare": "[DATA] RUNS         compare trainings, with several seeds",
    "tune": "[DATA] RUNS         search for good settings",
    "system": "NAME VERB           run an application, see docs/start.md",
    "convert": "FILE                make an encoder from published weights",
}
_HELP = ("-h", "--help", "-help", "--helpfull", "help")


def run(arguments: list[str] | None = None) -> None:
    """Runs `byol_tf`: the first argument is the name of a command.

    Args:
        arguments: name and arguments; None: those of the process.
    """
    name, *rest = arguments or sys.argv[1:] or ["--help"]
    if name in _HELP and not rest:
        print(overview())
        return
    if name in _HELP:
        name, rest = rest[0], ["--help"]
    if name not in COMMANDS:
        door.fail(
            ValueError(
                f"there is no command {name!r}; there are {', '.join(COMMANDS)}"
            )
        )
    start(name, rest, f"byol_tf {name}")


def overview() -> str:
    """Returns a list of the commands that fits on one screen."""
    lines = [f"  byol_tf {name:9} {what}" for name, what in COMMANDS.items()]
    recipes = sorted(p.stem for p in FOLDER.glob("*.py") if _is_recipe(p))
    return "\n".join(
        [
            "BYOL: from a folder of unlabelled data to an encoder.",
            "",
            *lines,
            "",
            "byol_tf COMMAND --help lists the flags of one of them.",
            f"Recipes of --config=: {', '.join(recipes)}",
        ]
    )


def start(name: str, rest: list[str], program: str) -> None:
    """Runs one command.

    Args:
        name: name of the command.
        rest: its arguments.
        program: name of the program as called, for messages.
    """
    module = importlib.import_module(f"configs.commands.{name}")
    if any(word in _HELP[:-1] for word in rest):
        print(help_text(module, program))
        sys.exit(1)  # as absl's own
    try:
        arguments = door.spelled(_by_flags(rest, module.POSITIONAL))
        sys.argv = [program, *getattr(module, "expand", list)(arguments)]
    except (OSError, ValueError) as error:
        door.fail(error)
    door.run_script(functools.partial(_main, module), _default_config(module))


def _main(module):
    file = getattr(module, "DEFAULT_CONFIG", "base.py")
    config = module._CONFIG.value if hasattr(module, "_CONFIG") else None
    if file and config:
        fields.check_same(config, file.removesuffix(".py"))
    module.main()


def start_script(name: str) -> None:
    """Runs one command from its own script, such as train.py."""
    start(name, sys.argv[1:], pathlib.Path(sys.argv[0]).name)


def help_text(module, program: str) -> str:
    """Returns the docstring of a command as written, and its flags."""
    text = module.__doc__.strip()
    own = flags.FLAGS.get_key_flags_for_module(module.__name__)
    lines = [text, "", f"Flags of {program}:"]
    for flag in sorted(own, key=lambda flag: flag.name):
        about = " ".join(flag.help.split()).replace(".;", ";")
        if flag.default not in (None, "", [], False):
            about += f" Default: {flag.default_as_str}."
        lines += [f"  --{flag.name}", f"      {about}"]
    file = getattr(module, "DEFAULT_CONFIG", "base.py")
    if file and "config" in {flag.name for flag in own}:
        lines += ["", f"Fields of the configuration, configs/{file}:"]
        lines += fields.lines_of(file.removesuffix(".py"))
    return "\n".join(lines)


def _is_recipe(path):
    text = path.read_text("utf-8")
    return "\ndef get_config" in text and path.stem not in (
        *("base", "sections", "compare", "embed", "eval_linear"),
        *("export", "finetune", "objects", "serve", "transcripts", "tune"),
        *("customer_service", "explore", "finance_monitor", "recommender"),
    )


def _default_config(module):
    path = getattr(module, "DEFAULT_CONFIG", None)
    return str(FOLDER / path) if path else None


def _by_flags(arguments, positional):
    """Turns positional arguments into flags, and recipe names into files."""
    words = list(reversed(arguments))
    result, by_place = [], []
    while words:
        word = words.pop()
        # A field alone, before another flag, is true.
        if _takes_next(word) and words and not words[-1].startswith("--"):
            word = f"{word}={words.pop()}"
        if word == "-" or not word.startswith("-"):  # "-": standard input
            by_place.append(word)
        elif word.startswith(("--config=", "-config=")):
            path = find(word.partition("=")[2])
            check_file(path)
            result.append(f"--config={path}")
        else:
            result.append(word)
    given = {word.lstrip("-").partition("=")[0] for word in result}
    choices = [[n for n in names if n not in given] for names in positional]
    fitting = (names for names in choices if len(names) >= len(by_place))
    names = next(fitting, choices[-1])
    if len(by_place) > len(names):
        raise ValueError(
            f"unexpected argument {by_place[len(names)]!r}; flags start with --"
        )
    named = zip(names, by_place, strict=False)
    return result + [f"--{name}={word}" for name, word in named]


def _takes_next(word):
    """Returns whether a flag takes the next argument: `--labels 10%`."""
    name = word.lstrip("-").replace("-", "_")
    if "=" in word or not name or not word.startswith("-"):
        return False
    if name.startswith("config."):
        return True
    known = flags.FLAGS._flags().get(name)
    return known is not None and not known.boolean
