"""Fine-tunes an encoder: the command `byol_tf finetune`."""

from configs import early  # noqa: F401

# isort: split
from configs import commands

if __name__ == "__main__":
    commands.start_script("finetune")
