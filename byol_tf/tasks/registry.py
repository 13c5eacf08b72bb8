"""Finds tasks by name, built-in or the user's own; converts them to JSON."""

import importlib
import inspect
import operator
from collections.abc import Mapping

from byol_tf.tasks.classification import Classification
from byol_tf.tasks.detection import Detection
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.multilabel import MultiLabel
from byol_tf.tasks.regression import Regression
from byol_tf.tasks.task import Task
from byol_tf.tasks.transcription import Transcription

TASKS: Mapping[str, type[Task]] = {
    task.name: task
    for task in (
        *(Classification, MultiLabel, Regression, Detection, Keypoints),
        Transcription,
    )
}


def task_class(name: str) -> type[Task]:
    """Returns the class of a task.

    Args:
        name: name of a built-in task, or "package.module:Class", which is
            imported.

    Raises:
        ValueError: if it is not a `Task`.
    """
    if name in TASKS:
        return TASKS[name]
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute) or module_name.startswith("."):
        raise ValueError(
            f"`task` must be one of {', '.join(TASKS)}, or 'module:Class' for "
            f"one of your own. Received: {name!r}"
        )
    module = _import_module(module_name, name)
    try:
        task_type = operator.attrgetter(attribute)(module)
    except AttributeError:
        raise ValueError(
            f"task {name!r}: the module {module_name!r} has no class "
            f"{attribute!r}"
        ) from None
    if not (isinstance(task_type, type) and issubclass(task_type, Task)):
        raise ValueError(
            f"task {name!r}: {attribute} must be a subclass of "
            f"byol_tf.tasks.task.Task. Received: {task_type!r}"
        )
    _check_contract(task_type, name)
    return task_type


def to_json(task: Task) -> dict[str, object]:
    """Describes a task as JSON values for `from_json`."""
    return {
        "task": _name_of(type(task)),
        "columns": list(task.columns),
        "options": task.options(),
    }


def from_json(
    description: Mapping[str, object], trusted: str | None = None
) -> Task:
    """Makes the task that `to_json` described.

    Args:
        description: see `to_json`.
        trusted: name of a task that may be imported; the description alone
            imports nothing.

    Raises:
        ValueError: if it does not describe a task, or one that is not trusted.
    """
    if missing := {"task", "columns", "options"} - set(description):
        raise ValueError(
            "the description of a task must have `task`, `columns` and "
            f"`options`. Missing: {', '.join(sorted(missing))}"
        )
    task_type = _known_class(description["task"], trusted)
    return task_type(description["columns"], **description["options"])


def _check_contract(task_type, name):
    """Refuses classes that were written for release 0.2."""
    missing = sorted(task_type.__abstractmethods__)
    takes_specs = "specs" in inspect.signature(task_type.head).parameters
    if missing or not takes_specs or hasattr(task_type, "activation"):
        lacks = f"; {task_type.__name__} lacks {', '.join(missing)}"
        raise ValueError(
            f"task {name!r} is not of this release's form: head(specs) gives "
            "a model with outputs by name, loss(targets, outputs) takes those, "
            "decode(outputs, origin) replaces activation() and "
            "in_whole_images(), rows(decoded) takes its result, and "
            "accumulator() replaces metrics(), which byol_tf.tasks.task."
            f"VectorTask keeps{lacks if missing else ''}"
        )


def _name_of(task_type):
    if TASKS.get(task_type.name) is task_type:
        return task_type.name
    return f"{task_type.__module__}:{task_type.__qualname__}"


def _known_class(name, trusted):
    if name in TASKS:
        return TASKS[name]
    task_type = task_class(trusted) if trusted else None
    if task_type is None or _name_of(task_type) != name:
        raise ValueError(
            f"it names the task {name!r}, which would have to be imported; if "
            f"you know that code, allow it by --task={name}"
        )
    return task_type


def _import_module(module_name, name):
    try:
        return importlib.import_module(module_name)
    except (ImportError, TypeError) as error:  # TypeError: a relative name
        raise ValueError(
            f"task {name!r}: the module {module_name!r} cannot be imported: "
            f"{error}; install it, or put its folder on PYTHONPATH"
        ) from error
