"""Predicts the files of a folder with what was fine-tuned.

    byol_tf predict RUN DIR
    byol_tf predict RUN DIR --out=predictions.csv
    byol_tf predict RUN DIR --out=predictions.json --confidence=0.5
    byol_tf predict RUN DIR --out=drawn

Writes a CSV file with a row for each file: its path, whether it could be read,
and what the task says of it. `predictions.csv.json` beside it says which model
that was. Boxes of objects can be COCO's results, `--out=...json`; with the file
`test.json` in place of DIR, of its images, by its ids. A folder, `--out=drawn`,
takes `predictions.csv` and each image with its boxes or points drawn into it.
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
    "out",
    None,
    "File or folder to write; predictions.csv in the run folder if none.",
)
_TASK = flags.DEFINE_string(
    "task", "", "What was learned of a file; the latest if none is named."
)
_CONFIDENCE = flags.DEFINE_float(
    "confidence", None, "Of objects: the least score that a CSV file shows."
)
_MOST = flags.DEFINE_integer("most", None, "Of objects: how many in an image.")
_CLASSES = flags.DEFINE_list("classes", None, "Of objects: of these alone.")
_TILES = flags.DEFINE_string(
    "tiles", "", "Of objects: find them in overlapping parts, such as 2x2, too."
)
_POSE = flags.DEFINE_string(
    "pose", "", "Of points: JSON with a 3-D model and a camera, for poses."
)


def main():
    options = {
        "confidence": _CONFIDENCE.value,
        "most": _MOST.value,
        "only": _CLASSES.value,
    }
    predicting.predict(
        *(_CONFIG.value, _WORKDIR.value, _TASK.value, _IMAGES.value),
        out=_OUT.value,
        options={k: v for k, v in options.items() if v is not None},
        tiles=_TILES.value,
        pose=_POSE.value,
    )
