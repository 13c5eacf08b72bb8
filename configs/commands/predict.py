"""Predicts the files of a folder with a fine-tuned model.

    byol_tf predict RUN DIR
    byol_tf predict RUN DIR --out=predictions.csv
    byol_tf predict RUN DIR --out=predictions.json --confidence=0.5
    byol_tf predict RUN DIR --out=drawn
    byol_tf predict RUN FILE.wav --confidence=0.8
    arecord -f S16_LE -r 16000 | byol_tf predict RUN - --rate=16000

Writes a CSV file with a row per file: its path, whether it could be read, and
the prediction. `predictions.csv.json` beside it names the model. If `--out` is
a folder, it gets `predictions.csv` and each image with its boxes or points
drawn.

Detection: `--out=...json` writes COCO results; with a COCO file such as
`test.json` in place of DIR, it predicts that file's images, with its ids.

Transcription: `--out=...srt` writes subtitles. Recordings of up to two hours
are cut at pauses. `--beam=20` searches with a beam of that width.

Sounds: a classifier also reads one file, or 16-bit mono samples from standard
input, and prints a line of JSON for each event; `--window` and `--hop` are in
seconds.
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
    "workdir", None, "Run folder with a fine-tuned model.", required=True
)
_IMAGES = flags.DEFINE_string(
    "images", None, "Folder of files to predict.", required=True
)
_OUT = flags.DEFINE_string(
    "out",
    None,
    "File or folder to write; default: predictions.csv in the run folder.",
)
_TASK = flags.DEFINE_string(
    "task", "", "Fine-tuned task to predict; default: the latest."
)
_CONFIDENCE = flags.DEFINE_float(
    "confidence", None, "Detection, events: lowest score to report."
)
_MOST = flags.DEFINE_integer("most", None, "Detection: most boxes per image.")
_CLASSES = flags.DEFINE_list("classes", None, "Detection: only these classes.")
_TILES = flags.DEFINE_string(
    "tiles", "", "Detection: also search overlapping tiles, such as 2x2."
)
_POSE = flags.DEFINE_string(
    "pose", "", "Keypoints: JSON of a 3-D model and a camera; adds poses."
)


_RATE = flags.DEFINE_integer("rate", 0, "Events: samples per second of stdin.")
_WINDOW = flags.DEFINE_float("window", 0.0, "Events: seconds per window.")
_HOP = flags.DEFINE_float("hop", 0.0, "Events: seconds between two windows.")
_SILENCE = flags.DEFINE_float(
    "silence", 50.0, "Events: level of silence, in decibels below full scale."
)
_BEAM = flags.DEFINE_integer("beam", None, "Transcription: width of the beam.")


# Flags that only printing events has, and those that it does not have.
OF_EVENTS = ("rate", "window", "hop", "silence")
OF_FILES = ("beam", "most", "classes", "tiles", "pose")


def refuse(names, reason):
    for name in names:
        if flags.FLAGS[name].present:
            raise ValueError(f"--{name} {reason}; leave it out")


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
        refuse(OF_FILES, "has no effect on events of sounds")
        return predicting.listen(*place, **heard)
    refuse(
        OF_EVENTS,
        "is for events of one sound or of standard input, which are printed "
        "without --out",
    )
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
