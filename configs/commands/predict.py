"""Predicts the files of a folder with what was fine-tuned.

    byol_tf predict RUN DIR
    byol_tf predict RUN DIR --out=predictions.csv
    byol_tf predict RUN DIR --out=predictions.json --confidence=0.5
    byol_tf predict RUN DIR --out=drawn
    byol_tf predict RUN FILE.wav --confidence=0.8
    arecord -f S16_LE -r 16000 | byol_tf predict RUN - --rate=16000

Writes a CSV file with a row for each file: its path, whether it could be read,
and what the task says of it. `predictions.csv.json` beside it says which model
that was. Boxes of objects can be COCO's results, `--out=...json`; with the file
`test.json` in place of DIR, of its images, by its ids. A folder, `--out=drawn`,
takes `predictions.csv` and each image with its boxes or points drawn into it.
Texts of sounds can be subtitles, `--out=...srt`; recordings of up to two hours
are cut at their pauses, and `--beam=20` follows so many readings.

A classifier of sounds says what it hears in one file, or in 16-bit samples of
one channel on standard input: a line of JSON for each event, with `--window`
and `--hop` in seconds.
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
    "confidence", None, "Of objects and events: the least score."
)
_MOST = flags.DEFINE_integer("most", None, "Of objects: how many in an image.")
_CLASSES = flags.DEFINE_list("classes", None, "Of objects: of these alone.")
_TILES = flags.DEFINE_string(
    "tiles", "", "Of objects: find them in overlapping parts, such as 2x2, too."
)
_POSE = flags.DEFINE_string(
    "pose", "", "Of points: JSON with a 3-D model and a camera, for poses."
)


_RATE = flags.DEFINE_integer("rate", 0, "Of events: samples a second.")
_WINDOW = flags.DEFINE_float("window", 0.0, "Of events: seconds at once.")
_HOP = flags.DEFINE_float("hop", 0.0, "Of events: seconds to the next window.")
_SILENCE = flags.DEFINE_float(
    "silence", 50.0, "Of events: decibels below full scale that are silence."
)
_BEAM = flags.DEFINE_integer("beam", None, "Of texts: readings to follow.")


def main():
    heard = {
        "rate": _RATE.value,
        "window": _WINDOW.value,
        "hop": _HOP.value,
        "silence": _SILENCE.value,
        "confidence": 0.5 if _CONFIDENCE.value is None else _CONFIDENCE.value,
    }
    place = _CONFIG.value, _WORKDIR.value, _TASK.value, _IMAGES.value
    if _OUT.value is None and predicting.goes_on(*place):
        return predicting.listen(*place, **heard)
    options = {
        "beam": _BEAM.value,
        "confidence": _CONFIDENCE.value,
        "most": _MOST.value,
        "only": _CLASSES.value,
    }
    predicting.predict(
        *place,
        out=_OUT.value,
        options={k: v for k, v in options.items() if v is not None},
        tiles=_TILES.value,
        pose=_POSE.value,
    )
