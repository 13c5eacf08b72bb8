"""Tiny trainings and run folders: their images and settings."""

import keras
import numpy as np

from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.runs import config as run_config
from byol_tf.runs import encoder as encoders
from byol_tf.runs import samples
from configs import base

TINY = {
    "batch_size": 16,
    "epochs": 2,
    "log_every": 2,
    "data.source": "arrays",
    # What cannot happen need not be compiled.
    "augment.area": (0.5, 1.0),
    "augment.aspect": (1.0, 1.0),
    "augment.flip": 0.0,
    "augment.jitter": 0.0,
    "augment.grayscale": 0.0,
    "augment.blur": (0.0, 0.0),
    "augment.solarize": (0.5, 0.5),
    "encoder.name": "slim",
    "encoder.blocks": (1,),
    "encoder.widths": (8,),
    "heads.hidden_size": 16,
    "heads.projection_size": 8,
    "optimizer.name": "adamw",
    "optimizer.base_lr": 0.01,
    "optimizer.warmup_epochs": 0.0,
    # As many as in a batch: no other views are compiled.
    "monitor.samples": 16,
    "evaluate.shots": 3,
    "evaluate.draws": 2,
}


def write_arrays(path, labels=True, channels=3, count=64):
    """Two classes of 12x12 images: horizontal and vertical stripes."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", count), ("test", 40)):
        classes = np.arange(n) % 2
        stripes = (np.arange(12) // 2 % 2 * 200).astype(np.uint8)
        images = np.zeros((n, 12, 12, channels), np.uint8)
        images[classes == 0] = stripes[None, :, None, None]
        images[classes == 1] = stripes[None, None, :, None]
        images += rng.integers(0, 55, images.shape, np.uint8)
        arrays[f"{split}_images"] = images
        if labels:
            arrays[f"{split}_labels"] = classes
    np.savez(path, **arrays)


def tiny_config(path, **overrides):
    """A training of two epochs on the arrays of a file."""
    config = base.get_config()
    config.update_from_flattened_dict(
        {**TINY, "data.dir": str(path), **overrides}
    )
    return config


def make_run(folder, channels=3, size=12, **overrides):
    """A run folder with an encoder that has not been trained."""
    write_arrays(folder / "data.npz", channels=channels, count=120)
    config = tiny_config(folder / "data.npz", **overrides)
    keras.utils.set_random_seed(1)
    encoder = IMAGE.encoder(config, CentreView(size), (size, size, channels))
    train, _ = data_builders.data(config, folder / "run", None)
    encoders.save_encoder(
        encoder,
        folder / "run",
        preprocessor=CentreView(size),
        title="BYOL on stripes",
        data=train.name,
        data_fingerprint=train.fingerprint(),
        **pretrain_build.describe(config, train.spec, CentreView(size)),
    )
    samples.save_samples(samples.draw_samples(train, 0), folder / "run")
    run_config.save_config(config, folder / "run")
    return folder / "run"
