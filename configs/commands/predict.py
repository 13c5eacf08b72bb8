"""Predicts the files of a folder with what was fine-tuned.

    byol_tf predict RUN DIR
    byol_tf predict RUN DIR --out=predictions.csv

Writes a CSV file with a row for each file: its path, whether it could be read,
and what the task says of it. `predictions.csv.json` beside it says which model
that was.
"""

from absl import flags
from ml_collections import config_flags

from configs.commands import predicting

POSITIONAL = (("workdir", "images"),)
DEFAULT_CONFIG = "finetune.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/finetune.py, the default."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder that was fine-tuned.", required=True
)
_IMAGES = flags.DEFINE_string(
    "images", None, "Folder of files to predict.", required=True
)
_OUT = flags.DEFINE_string(
    "out", None, "File to write; predictions.csv in the run folder if none."
)
_TASK = flags.DEFINE_string(
    "task", "", "What was learned of a file; the latest if none is named."
)


def main():
    predicting.predict(
        *(_CONFIG.value, _WORKDIR.value, _TASK.value, _IMAGES.value),
        out=_OUT.value,
    )
