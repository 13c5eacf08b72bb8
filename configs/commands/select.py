"""Chooses what to label next: diverse examples without a label.

    byol_tf select RUN DIR --count=100
    byol_tf select RUN DIR --count=100 --labels=labels.csv

Embeds the folder as `byol_tf embed` does, clusters the examples, and takes a
typical one of each cluster that has no label. Writes their paths to
`selected.csv`, the most useful first, and a picture beside it.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from configs import door, signals

POSITIONAL = (("workdir", "images"),)
DEFAULT_CONFIG = "embed.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/embed.py, the default."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras.", required=True
)
_IMAGES = flags.DEFINE_string(
    "images", None, "Folder to choose from.", required=True
)
_COUNT = flags.DEFINE_integer("count", 100, "Examples to choose.", 1)
_LABELS = flags.DEFINE_string(
    "labels", None, "CSV file with the paths of labelled examples."
)
_OUT = flags.DEFINE_string(
    "out", None, "CSV file to write; default: selected.csv in the run folder."
)
_EMBEDDINGS = flags.DEFINE_string(
    "embeddings", None, "Parquet file of the folder's embeddings."
)


def main():
    workdir = pathlib.Path(_WORKDIR.value)
    door.check_encoder(workdir)
    door.check_files_of(_IMAGES.value)
    door.check_files("labels", [_LABELS.value] if _LABELS.value else [])
    with signals.importing():
        from byol_tf.jobs.embed.build import embed
        from byol_tf.jobs.select.build import select
        from byol_tf.locks import owned_folder
        from byol_tf.search.parts import parts_folder

    config = _CONFIG.value
    embeddings = _EMBEDDINGS.value or workdir / door.EMBEDDINGS
    with owned_folder(parts_folder(embeddings)):
        embed(config, workdir, _IMAGES.value, embeddings)
    done = select(
        config,
        embeddings,
        _OUT.value or workdir / "selected.csv",
        count=_COUNT.value,
        labels=_LABELS.value,
    )
    if done.labelled:
        print(f"Labelled already: {done.labelled}")
    print(f"Label next: {done.path}")
    print(f"Picture:    {done.picture}")
