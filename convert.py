"""`byol_tf convert`; this script goes with the next release."""

from configs import early  # noqa: F401

# isort: split
from configs import commands

if __name__ == "__main__":
    commands.start_script("convert")
