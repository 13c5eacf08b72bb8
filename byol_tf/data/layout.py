"""Finds the files of a folder's split, and their classes."""

import dataclasses
import os
import pathlib
from collections import Counter
from collections.abc import Collection, Sequence

from absl import logging

from byol_tf.checks import check_choice
from byol_tf.data.remote import RemotePath, entries, path_of
from byol_tf.data.walk import (
    OTHERS,
    check_found,
    files_below,
    format_counts,
    is_folder,
    is_system,
    notable_counts,
)
from byol_tf.lines import nfc, plural, printable, some

LAYOUTS = ("auto", "table", "splits", "classes", "flat")
SPLIT = "train"  # split of a folder without sub-folders for splits
SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation", "dev"),
}
OVERRIDE = "--config.data.layout"
OTHER_SPLITS = "rows of other splits"  # left out, as they should be


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a folder was read.

    Attributes:
        root: folder that the paths are relative to.
        paths: paths of the files, sorted, with slashes.
        labels: by sub-folder of the first level, or by a table; -1 for none.
        class_names: names of the labels, in NFC and printable, or ().
        split: as requested.
        kind: "table", "splits", "classes" or "flat".
        left_out: numbers of files left out, by reason.
        table: name of the file of a table in `root`; or "".
        note: note on labels, for `line`.
    """

    root: pathlib.Path | RemotePath
    paths: list[str]
    labels: list[int]
    class_names: tuple[str, ...]
    split: str
    kind: str
    left_out: Counter
    table: str = ""
    note: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether rows may be missing, or labels may be unexpected."""
        harmless = (OTHERS, OTHER_SPLITS)
        left_out = any(not key.startswith(harmless) for key in self.left_out)
        return left_out or OVERRIDE in self.note

    @property
    def _can_differ(self):
        return self.doubtful and not self.table

    def about(self) -> dict[str, object]:
        """Returns JSON: folder, split, layout, classes, what is left out."""
        counts = Counter(self.labels)
        return {
            "folder": printable(str(self.root)),
            "split": self.split,
            "layout": self.kind,
            "files": len(self.paths),
            "classes": {n: counts[i] for i, n in enumerate(self.class_names)},
            "left_out": notable_counts(self.left_out),
        } | ({"table": printable(self.table)} if self.table else {})

    def line(self) -> str:
        """Returns the same in one line."""
        about = self.about()
        classes = format_counts(about["classes"]) or "no classes"
        left_out = format_counts(about["left_out"])
        return (
            f"Split {self.split!r}: {len(self.paths)} files of "
            f"{about['folder']} (layout: {self.kind}{self.note}; {classes})"
            + (f"; left out: {left_out}" if left_out else "")
            + (f"; {OVERRIDE} decides otherwise" if self._can_differ else "")
        )


def find_layout(
    directory: str | os.PathLike,
    split: str,
    extensions: Collection[str],
    name: str,
    layout: str = "auto",
) -> Layout:
    """Finds the files of one split of a folder, and their classes.

    Args:
        directory: the folder, or its URL, see `path_of`.
        split: its name, or another of `SPLITS` for the same; upper or lower
            case.
        extensions: extensions of the files, in lower case, with the dot.
        name: word for such a file, for messages.
        layout: "splits": sub-folders are splits; "classes": they are classes of
            the training set; "flat": all is the training set, without classes.
            "auto": splits if all sub-folders look like splits, else classes.

    Raises:
        ValueError: if there is no such folder or split, or it has no files.
    """
    check_choice("layout", layout, LAYOUTS)
    if not directory:
        raise ValueError(
            f"a folder of {plural(name)} must be named, but none is"
        )
    directory = path_of(directory)
    if not directory.is_dir():
        raise ValueError(f"there is no folder {str(directory)!r}")
    left_out, root = Counter(), directory
    folders = _split_folders(directory, split, extensions, layout)
    if folders is not None:
        root = directory / _folder_of(directory, split, folders)
        _count_beside(directory, extensions, left_out)
    paths = sorted(files_below(root, extensions, left_out))
    check_found(paths, root, extensions, name, left_out)
    labels, names = [-1] * len(paths), ()
    if layout != "flat":
        first_classes = _training_classes(directory, root, folders, extensions)
        labels, names = labels_of(paths, first_classes)
    if layout == "classes" and not names:
        raise ValueError(
            "data.layout=classes needs at least two sub-folders with "
            f"{plural(name)} in {str(root)!r}; take data.layout=flat for no "
            "classes"
        )
    if names and -1 in labels:
        left_out["files beside the folders of classes"] = labels.count(-1)
        pairs = zip(paths, labels, strict=True)
        labelled_files = [pair for pair in pairs if pair[1] >= 0]
        paths, labels = map(list, zip(*labelled_files, strict=True))
    flat_or_classes = "classes" if names else "flat"
    kind = flat_or_classes if folders is None else "splits"
    return Layout(root, paths, labels, names, split, kind, left_out)


def labels_of(
    paths: Sequence[str], first_classes: Sequence[str] = ()
) -> tuple[list[int], tuple[str, ...]]:
    """Returns labels by sub-folder of the first level, and class names.

    Files beside the sub-folders have the label -1. There are no labels if these
    are as many as an average class, if no file is in a sub-folder, or if there
    is only one class.

    Args:
        paths: paths of the files.
        first_classes: classes that come first, with or without files.
    """
    tops = [
        nfc(printable(p.split("/")[0])) if "/" in p else None for p in paths
    ]
    folders = set(tops) - {None}
    num_loose = tops.count(None)
    is_single = len({*folders, *first_classes}) < 2 or not folders
    if is_single or num_loose * len(folders) >= len(tops) - num_loose > 0:
        return [-1] * len(paths), ()
    names = [*first_classes, *sorted(folders - set(first_classes))]
    index = {name: label for label, name in enumerate(names)}
    return [index.get(top, -1) for top in tops], tuple(names)


def _split_folders(directory, split, extensions, layout):
    """Returns the sub-folders that are splits; None if they are not."""
    folders = sorted(
        entry.name
        for entry in entries(directory)
        if not is_system(entry.name) and is_folder(entry)
    )
    if layout == "splits":
        return folders
    split_folders = [folder for folder in folders if split_of(folder) in SPLITS]
    if layout == "auto" and split_folders:
        classes = [
            folder
            for folder in folders
            if folder not in split_folders
            and any(files_below(directory / folder, extensions, Counter()))
        ]
        if not classes:
            return split_folders
        logging.warning(
            "%s: %s are taken for classes, since %s lies beside them; "
            "%s=splits takes all for splits.",
            *(
                printable(directory),
                some(split_folders),
                some(classes, 1),
                OVERRIDE,
            ),
        )
    if split_of(split) == SPLIT:
        return None
    if layout == "auto" and split_of(split) not in SPLITS and split in folders:
        return [split]  # a class is not requested as a split by chance
    raise ValueError(_no_split(directory, split, folders))


def _count_beside(directory, extensions, left_out):
    """Counts the files beside the folders of splits."""
    loose = [
        entry
        for entry in entries(directory)
        if os.path.splitext(entry.name)[1].lower() in extensions
        and not is_folder(entry)
    ]
    if loose:
        left_out["files beside the splits"] = len(loose)


def _folder_of(directory, split, folders):
    """Returns the sub-folder of a split, by its name or another one for it."""
    same_name = [
        f for f in folders if nfc(f).casefold() == nfc(split).casefold()
    ]
    same_split = [f for f in folders if split_of(f) == split_of(split)]
    for matches in ([f for f in folders if f == split], same_name, same_split):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ValueError(
                f"{str(directory)!r} has several sub-folders for the split "
                f"{split!r}: {some(matches)}; name one of them"
            )
    raise ValueError(_no_split(directory, split, folders))


def _no_split(directory, split, folders):
    text = f"{str(directory)!r} has no sub-folder {split!r} for that split"
    field = "train_split" if split_of(split) == SPLIT else "test_split"
    if folders:
        text += (
            f", but {some(folders)}; take one by --config.data.{field}, and "
            f"by {OVERRIDE} say that they are splits, or classes, or flat"
        )
    if field == "train_split":
        return text
    return (
        f"{text}. Make one, or leave the name of the test split empty to hold "
        "out some of the training examples"
    )


def _training_classes(directory, root, folders, extensions):
    # A test split that lacks a class must count like the training split.
    train = [f for f in folders or () if split_of(f) == SPLIT]
    if len(train) != 1 or root.name == train[0]:
        return ()
    files = files_below(directory / train[0], extensions, Counter())
    return labels_of(list(files))[1]


def split_of(name: str) -> str:
    """Returns the key of `SPLITS` for a name, else the name."""
    word = nfc(name).casefold()
    return next((key for key, words in SPLITS.items() if word in words), name)
