"""MoCo v3: BYOL's two networks with a contrastive loss.

    loss = contrast(prediction1, projection2)
           + contrast(prediction2, projection1)

Each prediction must be nearer to the projection of its own image than to those
of other images, so a constant output does not minimise the loss.
"""

from typing import ClassVar

import keras

from byol_tf.checks import check_positive
from byol_tf.distribute.replicas import gather_replicas
from byol_tf.losses.contrastive import info_nce
from byol_tf.methods.byol import BYOL


@keras.saving.register_keras_serializable("byol_tf")
class MoCoV3(BYOL):
    """Pretrains an encoder to recognise the other view among all of the batch.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        temperature: temperature of the softmax over cosines; positive.
        projector_layers: linear layers of the projector: 3 in the paper, 2 for
            ResNets in the official code.
        normalize_projection: as in `Pretrainer`.
        target_init: as in `BYOL`; a copy in the paper.
        **kwargs: arguments of `BYOL` (`hidden_size`, `projection_size`, `tau`,
            ...).

    Reference: Chen, Xie and He 2021, "An Empirical Study of Training
    Self-Supervised Vision Transformers", section 3 and algorithm 1. The
    predictor has no batch norm at its end, as for ResNets in the official code.
    """

    checks: ClassVar = {**BYOL.checks, "temperature": check_positive}

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        temperature: float = 0.2,
        projector_layers: int = 3,
        normalize_projection: bool = True,
        target_init: str = "copy",
        name: str = "moco_v3",
        **kwargs,
    ):
        super().__init__(
            encoder,
            views,
            projector_layers=projector_layers,
            normalize_projection=normalize_projection,
            target_init=target_init,
            name=name,
            **kwargs,
        )
        self.keep(temperature=temperature)

    def compare(self, prediction1, prediction2, projection1, projection2):
        """Returns the contrastive loss, with the images of all replicas."""
        outputs = (prediction1, prediction2, projection1, projection2)
        return info_nce(*map(gather_replicas, outputs), self.temperature)
