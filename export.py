"""Exports the encoder of a run as a SavedModel for TensorFlow Serving.

    python export.py --workdir=runs/quickstart --to=exported/quickstart

Writes `exported/quickstart/<version>/`, which takes the bytes of image files
or images; of a fine-tuned run also class names and probabilities. The export
is loaded again and compared with the run's own encoder on real images, and
removed if they differ.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from byol_tf import export_builders
from byol_tf.cli import run_script
from byol_tf.serving import verify
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


def main():
    result = export_builders.export(
        _CONFIG.value, _WORKDIR.value, _TO.value, base.get_config()
    )
    print()
    print(verify.table(result["verification"]))
    folder = pathlib.Path(_TO.value) / str(result["version"])
    print(f"\nModel: {folder} ({', '.join(result['signatures'])})")
    print(f"Card:  {folder}/assets.extra/model_card.md")
    if result["without_classify"]:
        print(f"Without classify: {result['without_classify']}")


if __name__ == "__main__":
    run_script(main, str(_DEFAULTS))
