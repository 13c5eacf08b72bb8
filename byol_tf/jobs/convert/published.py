"""Makes a run folder from published weights, without any training."""

import os
import pathlib

from byol_tf.jobs.convert.build import refuse_existing
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.config import save_config
from byol_tf.runs.encoder import FILE, save_encoder

SIZE = 224  # side in pixels that such weights were trained with
CHANNELS = 3


def published_run(
    source: str, workdir: str | os.PathLike, defaults, size: int = SIZE
) -> dict:
    """Makes a run folder from ImageNet weights, as if trained in it.

    Args:
        source: "efficientnet_lite0", or "applications/NAME" of
            keras.applications, which Keras downloads.
        workdir: folder without a run.
        defaults: a run's configuration with every field. The run has no images,
            so later commands need `--data`.
        size: side in pixels of the encoder's input.

    Returns:
        Name, parameters, features, size and file.

    Raises:
        ValueError: if there are no such weights, or the folder holds a run.
    """
    for name in ("config.yaml", FILE):
        refuse_existing(pathlib.Path(workdir) / name)
    config = defaults
    config.update_from_flattened_dict(
        {
            "encoder.name": source,
            "encoder.weights": "imagenet",
            "augment.size": size,
            "data.source": "folder",
            "data.name": "",
            "data.test_split": "",  # held out, unless the folder has one
            "data.channels": CHANNELS,
        }
    )
    modality = load_modality(config.modality)
    spec = modality.decoder(config).spec
    (row_spec,) = spec.values()
    prepare = CentreView(size)
    model = modality.pretrained(config, prepare, row_spec.shape)
    about = pretrain_build.describe(config, spec, prepare)
    about["method"] = "ImageNet weights"
    save_config(config, workdir)
    save_encoder(model, workdir, preprocessor=prepare, **about)
    return {
        "encoder": source,
        "parameters": model.count_params(),
        "features": model.output_shape[-1],
        "image_size": size,
        "file": str(pathlib.Path(workdir) / FILE),
    }
