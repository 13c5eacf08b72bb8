"""What a run says of its encoder, for the file beside it."""

import keras

from byol_tf.data.rows import Spec
from byol_tf.jobs.pretrain import methods
from byol_tf.modalities.registry import load_modality


def describe(config, spec: Spec, preprocessor: keras.layers.Layer) -> dict:
    """Arguments of `save_encoder` that follow from a configuration.

    Args:
        config: of the run.
        spec: of a stored row.
        preprocessor: from a batch of rows to what the encoder takes.
    """
    modality = load_modality(config.modality)
    shape = next(iter(spec.values())).shape
    return {
        "modality": config.modality,
        "spec": spec,
        "sizes": modality.sizes(shape, config, preprocessor),
        "method": methods.title(config),
        "crops": modality.crops(config),
        "config": config.to_dict(),
    }
