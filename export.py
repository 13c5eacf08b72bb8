"""Exports the encoder of a run as SavedModel, for ONNX Runtime or LiteRT.

    python export.py --workdir=runs/quickstart --to=exported/quickstart
    python export.py --workdir=runs/quickstart --to=exported/quickstart \
        --format=saved_model,onnx,litert

The SavedModel, `exported/quickstart/<version>/`, is for TensorFlow Serving
and takes the bytes of image files or images; of a fine-tuned run it also
tells class names and probabilities. `onnx/<version>/` and `litert/<version>/`
beside it take images. Every export is loaded again and compared with the
run's own encoder on real images, and removed if it differs.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from byol_tf.cli import run_script
from byol_tf.export import saved_model, verify_table
from byol_tf.jobs.export import build as export_builders
from configs import base

_DEFAULTS = pathlib.Path(__file__).parent / "configs" / "export.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/export.py, the default."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras.", required=True
)
_TO = flags.DEFINE_string(
    "to", None, "Folder of the versions of the model.", required=True
)
_FORMAT = flags.DEFINE_list(
    "format", ["saved_model"], "Some of saved_model, onnx and litert."
)


def main():
    exported = export_builders.export(
        _CONFIG.value,
        _WORKDIR.value,
        _TO.value,
        base.get_config(),
        _FORMAT.value,
    )
    print()
    print(verify_table.table([e["verification"] for e in exported.values()]))
    print()
    for name, about in exported.items():
        print(f"{name + ':':13}{about['folder']} ({_contents(about)})")
    if reason := next(iter(exported.values()))["without_classify"]:
        print(f"Without classify: {reason}")


def _contents(about):
    extra = about["format"] == "saved_model"
    card = f"{saved_model.EXTRA}/" if extra else ""
    return ", ".join([*about["signatures"], f"{card}model_card.md"])


if __name__ == "__main__":
    run_script(main, str(_DEFAULTS))
