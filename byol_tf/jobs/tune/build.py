"""Builds searches from configurations."""

import pathlib
import pprint
import shlex
import textwrap
from collections.abc import Callable, Sequence

import numpy as np

from byol_tf.checks import check_number, in_section
from byol_tf.data.batches import rows_for_views
from byol_tf.evaluation.features import FeatureExtractor, extract_features
from byol_tf.files import write_json
from byol_tf.jobs.pretrain import build as builders
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.jobs.pretrain import plan
from byol_tf.jobs.processes import merge_overrides, train_command
from byol_tf.jobs.tune.label_free import FILE, label_free_metrics
from byol_tf.jobs.tune.run import Search
from byol_tf.jobs.tune.space import parse_space
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.config import config_of_run, config_text
from byol_tf.runs.encoder import load_encoder
from byol_tf.seeds import step_seed

_BATCH = 256  # images whose views are drawn at once


@in_section()
def search(
    config, workdir, *, load: Callable, train: Sequence[str], measure: Callable
) -> Search:
    """Builds the search of a configuration.

    Args:
        config: configuration of the search, see `configs/tune.py`.
        workdir: its folder.
        load: returns the configuration of a run for a path and overrides.
        train: program and arguments that run a training.
        measure: returns the command that measures a run folder without labels.

    Raises:
        ValueError: for an unknown field or an impossible value. One line.
    """

    def with_common(overrides):
        return merge_overrides((*config.common, *overrides))

    base = load(config.base, with_common(()))
    space = parse_space(config.space, load_modality(base.modality).strength)
    _check(config, base)
    for dimension in space:
        for value in dimension.values:  # each could be written otherwise
            load(config.base, with_common([f"{dimension.field}={value}"]))
    command = train_command(train, config.base)
    return Search(
        space=space,
        train=lambda overrides, folder: command(with_common(overrides), folder),
        measure=measure,
        best_config=lambda overrides: config_file(
            load(config.base, with_common(overrides)), overrides, workdir
        ),
        objective=config.objective,
        trials=config.trials,
        workers=config.workers,
        seed=config.seed,
        prune=config.prune.enabled,
        startup_trials=config.prune.startup_trials,
        warmup_epochs=config.prune.warmup_epochs,
        identity={
            "base or common": config_text(base),
            "space": repr(space),
            "objective": config.objective,
            "label_free": str(config.label_free.to_dict()),
        },
    )


def measure_label_free(
    config, folder, *, load: Callable, defaults
) -> dict[str, float]:
    """Measures a run folder without labels, and writes `label_free.json`.

    Uses the images that the run is evaluated on, which it was not trained on.
    Views are those of the search's base, whatever a trial changed, since weaker
    views would agree more without a better encoder.

    Args:
        config: configuration of the search, see `configs/tune.py`.
        folder: the run folder.
        load: as in `search`.
        defaults: a run's configuration with every field.

    Raises:
        ValueError: if there is no encoder. One line.
    """
    encoder = load_encoder(folder)
    run = config_of_run(None, folder, defaults)
    _, test = data_builders.data(run, folder)
    encoder.check_rows(test.row_shape, test.name)
    section = config.label_free
    order = np.random.default_rng(section.seed).permutation(test.num_examples)
    images = test.subset(np.sort(order[: section.samples]))
    base = load(config.base, merge_overrides(config.common))
    plan.close(base, folder)
    views = encoder.modality.views(base, encoder.preprocessor)
    metrics = label_free_metrics(
        extract_features(encoder.model, images, prepare=encoder.preprocessor),
        *_view_representations(encoder.model, images, views, section.seed),
    )
    write_json(pathlib.Path(folder) / FILE, metrics)
    return metrics


def config_file(config, overrides: Sequence[str], workdir) -> str:
    """Returns the text of a self-contained configuration file."""
    best = f"{workdir}/best_config.py"
    values = pprint.pformat(config.to_dict(), sort_dicts=False, width=68)
    return "\n".join(
        [
            "# Found by byol_tf tune. What it chose:",
            *(f"#     {override}" for override in overrides),
            "#",
            f"# byol_tf pretrain RUN --config={shlex.quote(best)}",
            "",
            "import ml_collections",
            "",
            "",
            "def get_config():",
            "    return ml_collections.ConfigDict(",
            textwrap.indent(values, " " * 8),
            "    )",
            "",
        ]
    )


def _check(config, base):
    builders.check(plan.stand_in(base))
    check_number("label_free.samples", config.label_free.samples, 2)
    if config.objective == "knn" and not base.monitor.knn:
        raise ValueError(
            "objective=knn needs monitor.knn=True in the base. "
            f"Received: {base.monitor.knn}"
        )


def _view_representations(encoder, images, views, seed):
    """Returns representations of both views, batch by batch."""
    extract = FeatureExtractor(encoder, batch_size=_BATCH)
    positions, pairs = np.arange(images.num_examples), []
    for start in range(0, len(positions), _BATCH):
        index, view_seed = (
            positions[start : start + _BATCH],
            step_seed(seed, start),
        )
        batch = rows_for_views(images, index, views, view_seed)
        pairs.append([extract(v.numpy()) for v in views(batch, seed=view_seed)])
    return [np.concatenate(side) for side in zip(*pairs, strict=True)]
