"""The encoder of a checkpoint, as a folder that holds a finished run's."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

from byol_tf.jobs import inputs
from byol_tf.jobs.pretrain import build
from byol_tf.training.checkpoints import find_checkpoint, restore_encoder


@contextlib.contextmanager
def run_of_checkpoint(
    config, workdir, defaults, which: str
) -> Iterator[tuple[pathlib.Path, int]]:
    """Gives a temporary folder with `encoder.keras`, and the checkpoint's step.

    The run may be unfinished, and going on. It is built anew, which needs its
    configuration and its training data.

    Args:
        config: of the export; other places of the data hold.
        workdir: the run folder, which is only read.
        defaults: a configuration of a run with every field.
        which: "last", or "best" by kNN.

    Raises:
        ValueError: there is no such checkpoint, or not of this run.
    """
    path = find_checkpoint(pathlib.Path(workdir) / "checkpoints", which)
    run = inputs.run_with_data(config, workdir, defaults)
    job = build.pretraining(run, workdir, strategy="one")
    step = restore_encoder(job.model.encoder, path)
    with tempfile.TemporaryDirectory() as folder:
        job.save(folder)
        yield pathlib.Path(folder), step
