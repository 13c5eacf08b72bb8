"""Allowed values of a configuration, checked before anything is loaded.

The package checks them again, along with everything else. A test compares both
lists.
"""

import re
from collections.abc import Mapping, Sequence

TASKS = ("classification", "multilabel", "regression", "detection")
TASKS += ("keypoints", "transcription")
ENCODERS = ("auto", "efficientnet_lite0", "resnet18", "resnet20", "resnet200")
ENCODERS += ("resnet34", "resnet50", "slim")
# Values of `encoder.weights` that are not files.
NAMED = ("imagenet", "lsa")
# Names of sub-folders that are splits; upper or lower case.
SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation", "dev"),
}
CHOICES = {
    "precision": ("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    "jit_compile": ("auto", "yes", "no"),
    "strategy": ("auto", "one", "mirrored", "multi_worker", "tpu"),
    "data.source": (
        *("embedded", "tfds", "folder"),
        *("arrays", "tfrecord", "listed"),
    ),
    "data.layout": ("auto", "table", "splits", "classes", "flat"),
    "data.labels": ("auto", "required", "ignore"),
    "data.store": ("auto", "pixels", "shards", "files"),
    "data.cache": ("auto", "memory", "disk"),
    "objective.name": (
        *("byol", "dense_byol", "moco_v3", "simsiam", "simclr", "triplet"),
        *("barlow_twins", "vicreg"),
    ),
    "objective.tau_schedule": ("cosine", "constant"),
    "objective.target_init": ("independent", "copy"),
    "optimizer.name": ("lars", "sgd", "adamw"),
    "optimizer.lr_rule": ("linear", "sqrt", "none"),
    "faults.action": ("skip", "stop"),
    "augment.place": ("step", "pipeline"),
}
# For images only.
OF_IMAGES = {
    "encoder.stem": ("small", "strided", "imagenet"),
    "augment.resize": ("bilinear", "bicubic"),
}
PROBABILITIES = ("flip", "jitter", "grayscale", "blur", "solarize")
_LABELS = re.compile(r"all|(\d+(?:\.\d+)?)\s*%|(\d+)(?:-per-class)?")


def check_run(config: Mapping) -> None:
    """Raises a ValueError for an unknown choice or an invalid probability."""
    if config["modality"] == "image":
        name = config["encoder"]["name"]
        if "/" not in name:
            check_choice("encoder.name", name, ENCODERS)
        for field, choices in OF_IMAGES.items():
            check_choice(field, _value(config, field), choices)
        for field in PROBABILITIES:
            _check_probability(f"augment.{field}", config["augment"][field])
    for field, choices in CHOICES.items():
        check_choice(field, _value(config, field), choices)


def check_labels(texts: Sequence[str]) -> None:
    """Raises a ValueError for values of `--labels` that cannot be parsed."""
    words = [w.strip() for text in texts for w in text.split(",")]
    for word in filter(None, words):
        found = _LABELS.fullmatch(word)
        share, count = found.groups("1") if found else ("0", "0")
        if not (0 < float(share) <= 100 and int(count)):
            raise ValueError(
                "`labels` must be shares above 0% up to 100%, such as 1% or "
                "0.5%, or numbers such as 25-per-class or 100, separated by "
                f"commas. Received: {word!r}"
            )


def check_task(name: str) -> None:
    """Raises a ValueError if a name is neither a task nor `module:Class`."""
    if name not in TASKS and not re.fullmatch(r"[\w.]+:[\w.]+", name):
        raise ValueError(
            f"`task` must be one of {', '.join(TASKS)}, or 'module:Class' for "
            f"one of your own. Received: {name!r}"
        )


def check_choice(field: str, value: str, choices: Sequence[str]) -> None:
    """Raises a ValueError that names the field if a value is not a choice."""
    if value not in choices:
        raise ValueError(
            f"`{field}` must be one of {', '.join(choices)}. "
            f"Received: {field}={value!r}"
        )


def _check_probability(field, value):
    several = value if isinstance(value, tuple | list) else [value]
    if not all(isinstance(v, (int, float)) and 0 <= v <= 1 for v in several):
        raise ValueError(f"`{field}` must be in [0, 1]. Received: {value!r}")


def _value(config, field):
    for part in field.split("."):
        config = config[part]
    return config
