"""Writes docs/api.md from the docstrings of the package.

    python -m tools.make_api

Reads the source without importing it. Nothing is written down here but which
modules belong to which section.
"""

import ast
import pathlib
import re
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parent.parent
PAGE = ROOT / "docs" / "api.md"

# Public modules by subject, in the order of use.
SECTIONS = {
    "The algorithm": (
        "models.byol",
        "models.pretrainer",
        "models.outputs",
        "objectives",
        "ema",
        "schedules",
        "optimizers",
        "models.heads",
    ),
    "Its relatives": (
        "models.simsiam",
        "models.moco_v3",
        "models.joint",
        "contrastive",
        "decorrelation",
        "replicas",
    ),
    "Encoders": ("models.resnet", "models.adapters", "layers", "encoders"),
    "Augmentation": (
        "augment.view",
        "augment.views",
        "augment.centre",
        "augment.supervised",
        "augment.ops",
    ),
    "Data": (
        "data.sources",
        "data.images",
        "data.arrays",
        "data.folder",
        "data.bad_images",
        "data.label_table",
        "data.tfds",
        "data.pipeline",
        "data.service",
        "data.decode",
    ),
    "Training": (
        "training",
        "monitors",
        "logs",
        "checkpoints",
        "pretraining",
        "runtime",
        "seeds",
        "distribution",
        "recipe",
        "flops",
        "scaling",
        "utilisation",
        "faults",
        "fault_monitor",
        "interruption",
        "resumable",
        "pretraining_settings",
    ),
    "Evaluation": (
        "evaluation.features",
        "evaluation.knn",
        "evaluation.linear",
        "evaluation.logistic",
        "evaluation.fewshot",
        "evaluation.collapse",
        "evaluation.alignment",
        "evaluation.summary",
        "evaluation.pictures",
    ),
    "Tasks and fine-tuning": (
        "tasks.task",
        "tasks.classification",
        "tasks.multilabel",
        "tasks.regression",
        "tasks.keypoints",
        "label_fractions",
        "finetuner",
        "prediction",
    ),
    "Official weights": (
        "official.checkpoint",
        "official.architecture",
        "official.conversion",
    ),
    "Export": (
        "serving.signatures",
        "serving.saved_model",
        "serving.to_onnx",
        "serving.to_litert",
        "serving.decode",
        "serving.verify",
    ),
    "Serving": ("serving.server.settings", "serving.server.server"),
    "Comparison and tuning": (
        "comparison.comparison",
        "comparison.results",
        "tuning.space",
        "tuning.label_free",
        "tuning.correlation",
        "child_runs",
    ),
    "Search": (
        "search.embedding",
        "search.table",
        "search.index",
        "search.duplicates",
        "search.map",
    ),
}
INTRODUCTION = """# API

Made of the docstrings by `python -m tools.make_api`; change those. Images are
uint8, or float in [0, 1], `[batch, height, width, channels]` everywhere.
`byol_tf` itself has {names}."""

_TITLES = r"(Args|Returns|Raises|Attributes|Yields):"
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def page() -> str:
    """The whole page as Markdown."""
    names = ", ".join(f"`{name}`" for name in exported(parse("__init__")))
    parts = [INTRODUCTION.format(names=names), _contents()]
    for section, modules in SECTIONS.items():
        parts.append(f"## {section}")
        parts += [_module(name) for name in modules]
    return "\n\n".join(parts) + "\n"


def parse(module: str) -> ast.Module:
    """The source of a module of the package, such as `augment.views`."""
    path = ROOT / "byol_tf" / f"{module.replace('.', '/')}.py"
    return ast.parse(path.read_text(encoding="utf-8"))


def definitions(tree: ast.Module | ast.ClassDef) -> Iterator[ast.AST]:
    """Public classes and functions that a module or class defines."""
    for node in tree.body:
        if isinstance(node, _FUNCTIONS | ast.ClassDef) and (
            not node.name.startswith("_")
        ):
            yield node


def exported(tree: ast.Module) -> list[str]:
    """The names of `__all__`, [] without one."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and (
            ast.unparse(node.targets[0]) == "__all__"
        ):
            return ast.literal_eval(node.value)
    return []


def _contents():
    lines = []
    for section, modules in SECTIONS.items():
        links = (f"[{m}](#{_anchor(f'byol_tf.{m}')})" for m in modules)
        lines.append(f"- [{section}](#{_anchor(section)}): {', '.join(links)}")
    return "\n".join(lines)


def _anchor(title):
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _module(name):
    tree = parse(name)
    parts = [f"### byol_tf.{name}", markdown(ast.get_docstring(tree) or "")]
    own = list(definitions(tree))
    others = set(exported(tree)) - {node.name for node in own}
    parts += [f"`{other}`: {_origin(tree, other)}" for other in sorted(others)]
    for node in own:
        parts.append(_entry(node))
        if isinstance(node, ast.ClassDef):
            parts += [
                _entry(method, f"{node.name}.")
                for method in definitions(node)
                if ast.get_docstring(method)
            ]
    return "\n\n".join(parts)


def _origin(tree, name):
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (
            name in {alias.name for alias in node.names}
        ):
            return f"see [{node.module}](#{_anchor(node.module)})"
    return "defined here"


def _entry(node, owner=""):
    name = owner + node.name
    code = f"class {name}" if isinstance(node, ast.ClassDef) else name
    if "property" not in _decorators(node):
        code += _signature(node, method=bool(owner))
    code = code.replace("'", '"')
    text = markdown(ast.get_docstring(node) or "")
    return f"#### {name}\n\n```python\n{code}\n```\n\n{text}"


def _decorators(node):
    return {ast.unparse(d).split("(")[0] for d in node.decorator_list}


def _signature(node, method):
    """Arguments and result, one argument a line where they are long."""
    if isinstance(node, ast.ClassDef):
        arguments, result = _class_arguments(node), ""
    else:
        bound = method and "staticmethod" not in _decorators(node)
        arguments = _arguments(node.args)[bound:]
        result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    short = f"({', '.join(arguments)}){result}"
    if len(short) + len(node.name) <= 64:
        return short
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"(\n{lines}){result}"


def _class_arguments(node):
    """Those of `__init__`, or the fields of a data class or named tuple."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _arguments(item.args)[1:]
    bases = {ast.unparse(base) for base in node.bases}
    if "NamedTuple" in bases or "dataclasses.dataclass" in _decorators(node):
        return [
            ast.unparse(item)
            for item in node.body
            if isinstance(item, ast.AnnAssign)
        ]
    return []


def _arguments(node):
    plain = [*node.posonlyargs, *node.args]
    missing = [None] * (len(plain) - len(node.defaults))
    texts = [
        _argument(*pair)
        for pair in zip(plain, [*missing, *node.defaults], strict=True)
    ]
    if node.posonlyargs:
        texts.insert(len(node.posonlyargs), "/")
    if node.vararg:
        texts.append(f"*{_argument(node.vararg)}")
    elif node.kwonlyargs:
        texts.append("*")
    keywords = zip(node.kwonlyargs, node.kw_defaults, strict=True)
    texts += [_argument(*pair) for pair in keywords]
    return texts + ([f"**{_argument(node.kwarg)}"] if node.kwarg else [])


def _argument(node, default=None):
    text = ast.unparse(node)
    if default is None:
        return text
    equals = " = " if node.annotation else "="
    return f"{text}{equals}{ast.unparse(default)}"


def markdown(docstring: str) -> str:
    """A docstring with its sections as bold titles and lists."""
    lines, section = [], False
    for line in docstring.splitlines():
        if title := re.fullmatch(_TITLES, line):
            section = True
            lines.append(f"**{title[1]}**\n")
        elif not section or not line.startswith("    "):
            section = section and not line
            lines.append(line)
        elif item := re.match(r" {4}(\*{0,2}\w[\w, .*]*): (.*)", line):
            lines.append(f"- `{item[1]}`: {item[2]}")
        else:
            deeper = line.startswith("     ")
            lines.append("  " * deeper + line.strip())
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
