"""Real file systems that are small or may only be read."""

import contextlib
import shutil
import subprocess

import pytest


@contextlib.contextmanager
def disk(folder, options):
    """A disk of its own at a folder, where this process may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    mount = shutil.which("mount")
    if not mount or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting needs rights that this process does not have")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount_to_be_read(folder):
    """Lets what was written to the disk at a folder only be read."""
    command = ["mount", "-o", "remount,ro", folder]
    subprocess.run(command, check=True)
