"""The encoder of a checkpoint, in a folder like that of a finished run."""

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
    """Yields a temporary folder with `encoder.keras`, and the step.

    The run may be unfinished and still training. It is rebuilt, which needs its
    configuration and training data.

    Args:
        config: configuration of the export; may give other places of the data.
        workdir: the run folder, which is only read.
        defaults: a run's configuration with every field.
        which: "last", or "best" by kNN.

    Raises:
        ValueError: if there is no such checkpoint, or it is of another run.
    """
    path = find_checkpoint(pathlib.Path(workdir) / "checkpoints", which)
    run = inputs.run_with_data(config, workdir, defaults)
    store = run.data.store
    with run.unlocked():
        run.data.store = "files"  # it is not trained, so decode no image
    job = build.pretraining(run, workdir, strategy="one")
    job.about["config"]["data"]["store"] = store
    step = restore_encoder(job.model.encoder, path)
    with tempfile.TemporaryDirectory() as folder:
        job.save(folder)
        yield pathlib.Path(folder), step
