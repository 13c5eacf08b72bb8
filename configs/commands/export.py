"""Exports the encoder of a run as SavedModel, ONNX, LiteRT or Keras.

    byol_tf export RUN OUT
    byol_tf export RUN OUT --format=saved_model,onnx,litert
    byol_tf export RUN OUT --format=keras --checkpoint=best

The SavedModel, `OUT/<version>/`, is for TensorFlow Serving. It takes the bytes
of files, or rows; for a fine-tuned run it also returns class names and
probabilities. `onnx/<version>/` and `litert/<version>/` beside it take rows;
`keras/<version>/` is a folder for `load_encoder` and `byol_tf embed`. With
`--checkpoint`, exports the run's last or best checkpoint, even while it trains.
Each export is loaded again and compared with the encoder on real data, and
removed if it differs.
"""

from absl import flags
from ml_collections import config_flags

from configs import base, data_argument, door, signals

POSITIONAL = (("workdir", "to"),)
DEFAULT_CONFIG = "export.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/export.py, the default."
)
_DATA = flags.DEFINE_string(
    "data",
    None,
    "Data to compare exports on: folder, .csv or .npz file, or tfds:NAME.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras.", required=True
)
_TO = flags.DEFINE_string(
    "to", None, "Folder to write versions of the model into.", required=True
)
_FORMAT = flags.DEFINE_list(
    "format", ["saved_model"], "Any of saved_model, onnx, litert, keras."
)
_CHECKPOINT = flags.DEFINE_enum(
    "checkpoint",
    None,
    ["last", "best"],
    "Export this checkpoint of the run, which may still be training.",
)
flags.register_validator(
    _FORMAT,
    lambda names: set(names) <= {"saved_model", "onnx", "litert", "keras"},
    "--format must be some of saved_model,onnx,litert,keras",
)

expand = data_argument.with_overrides


def main():
    config, workdir = _CONFIG.value, _WORKDIR.value
    if not _CHECKPOINT.value:
        door.check_encoder(workdir)
    if config.data.dir:
        door.check_data(config.data, workdir)
    with signals.importing():
        from byol_tf.export import formats, saved_model, verify_table
        from byol_tf.jobs.export import build

    exported = build.export(
        config,
        workdir,
        _TO.value,
        base.get_config(),
        _FORMAT.value,
        _CHECKPOINT.value or "",
    )
    print()
    print(verify_table.table([e["verification"] for e in exported.values()]))
    print()
    card = f"{saved_model.EXTRA}/model_card.md"
    for name, about in exported.items():
        other = about["format"] != formats.SAVED_MODEL
        parts = [*about["signatures"], "model_card.md" if other else card]
        print(f"{name + ':':13}{about['folder']} ({', '.join(parts)})")
