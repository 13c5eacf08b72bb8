"""Writes the pages of the documentation's site that follow from the code.

`make docs` builds the site; MkDocs calls the `on_` functions below. The
reference has a page for each folder of the package that `byol_tf.api` takes
names from, one for the contracts, and one with every field of a configuration.
"""

import ast
import pathlib
import posixpath
import re

ROOT = pathlib.Path(__file__).parent.parent
CONTRACTS = {
    "Modality, Views": "byol_tf.modalities.contract",
    "Examples": "byol_tf.data.examples",
    "Encoder": "byol_tf.runs.encoder",
}
LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)\s#]+)")


def public_names() -> dict[str, str]:
    """Finds where each name of `byol_tf.api.__all__` is defined.

    Returns:
        Full names by public name: `{"BYOL": "byol_tf.methods.byol.BYOL"}`.
    """
    tree = ast.parse((ROOT / "byol_tf" / "api.py").read_text("utf-8"))
    full_names, public = {}, []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full_names[alias.asname or alias.name] = (
                    f"{node.module}.{alias.name}"
                )
        elif isinstance(node, ast.Assign):
            if node.targets[0].id == "__all__":
                public = ast.literal_eval(node.value)
            elif node.targets[0].id in ast.unparse(node.value):
                name = node.targets[0].id  # a wrapped function of that name
                full_names[name] = f"{full_names['program']}.{name}"
    return {name: full_names[name] for name in public}


def page_folder(path: str) -> str:
    """Names the folder of a full name: "methods", "modalities/image"."""
    parts = path.split(".")[1:-2]
    return "/".join(parts[: 2 if parts[0] in ("modalities", "jobs") else 1])


def reference() -> dict[str, str]:
    """Writes the reference, as Markdown by path in the documentation."""
    names_by_folder: dict[str, list[str]] = {}
    for name, path in public_names().items():
        names_by_folder.setdefault(page_folder(path), []).append(f"`{name}`")
    index = [
        "# Reference",
        "",
        "All that a program needs stands in `byol_tf` itself: `byol_tf.BYOL`.",
        "",
        "| page | names |",
        "|---|---|",
    ]
    pages = {}
    for title in sorted(names_by_folder):
        file = f"{title.replace('/', '_')}.md"
        index.append(
            f"| [{title}]({file}) | {', '.join(names_by_folder[title])} |"
        )
        paths = [p for p in public_names().values() if page_folder(p) == title]
        pages[file] = _page(title, paths)
    index.append(f"| [contracts](contracts.md) | {', '.join(CONTRACTS)} |")
    index.append("| [configuration](configuration.md) | every field |")
    pages["contracts.md"] = _page("contracts", CONTRACTS.values())
    fields = (ROOT / "configs" / "base.py").read_text("utf-8")
    pages["configuration.md"] = f"# configuration\n\n```python\n{fields}```\n"
    pages["README.md"] = "\n".join(index) + "\n"
    return {f"reference/{name}": text for name, text in pages.items()}


def _page(title, paths):
    return "\n".join([f"# {title}", "", *(f"::: {path}\n" for path in paths)])


def outside(page: str, link: str) -> pathlib.Path | None:
    """Finds the file that a link names, where it lies outside of `docs`."""
    path = posixpath.normpath(
        posixpath.join("docs", posixpath.dirname(page), link)
    )
    inside = path == "docs" or path.startswith(("docs/", "../"))
    return None if inside or not (ROOT / path).is_file() else ROOT / path


# ---- called by MkDocs -------------------------------------------------


def on_config(config):
    """Enters the pages of the reference into the navigation."""
    pages = sorted(
        reference(), key=lambda name: (not name.endswith("README.md"), name)
    )
    for entry in config["nav"]:
        if "Reference" in entry:
            entry["Reference"] = pages
    return config


def on_files(files, config):
    """Adds the reference, and each file of the repository that a page links."""
    from mkdocs.structure.files import File

    for name, text in reference().items():
        files.append(File.generated(config, name, content=text))
    for page in list(files.documentation_pages()):
        for _, link in LINK.findall(page.content_string):
            target = outside(page.src_uri, link)
            name = target and _copy(target)
            if name and name not in files.src_uris:
                files.append(
                    File.generated(config, name, abs_src_path=str(target))
                )
    return files


def on_page_markdown(markdown, page, **_):
    """Points links to files of the repository at their copies in the site."""

    def moved(match):
        target = outside(page.file.src_uri, match[2])
        if target is None:
            return match[0]
        return match[1] + posixpath.relpath(
            _copy(target), posixpath.dirname(page.file.src_uri) or "."
        )

    return LINK.sub(moved, markdown)


def _copy(target):
    """Returns a file's path in the site; code as .txt, which browsers show."""
    name = "source/" + target.relative_to(ROOT).as_posix()
    return name if target.suffix in (".png", ".svg") else f"{name}.txt"
