"""SimSiam: BYOL without a separate target network.

loss = -cos(prediction1, stop(projection2)) / 2
       -cos(prediction2, stop(projection1)) / 2
"""

from typing import ClassVar

import keras

from byol_tf.losses.objectives import negative_cosine
from byol_tf.methods.pretrainer import Pretrainer


@keras.saving.register_keras_serializable("byol_tf")
class SimSiam(Pretrainer):
    """Pretrains an encoder to predict its own projection of the other view.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        predictor_hidden_size: hidden width of the predictor, a bottleneck;
            None: a quarter of `projection_size`, as in the paper; 0: no
            predictor, an ablation.
        **kwargs: arguments of `Pretrainer`; `sizes` has the defaults. The paper
            uses two `projector_layers` on CIFAR-10.

    Reference: Chen and He 2021, "Exploring Simple Siamese Representation
    Learning", section 3 and algorithm 1.
    """

    sizes: ClassVar = {
        "hidden_size": 2048,
        "projection_size": 2048,
        "projector_layers": 3,
        "normalize_projection": True,
    }

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        predictor_hidden_size: int | None = None,
        name: str = "simsiam",
        **kwargs,
    ):
        sizes = {**self.sizes, **kwargs}
        if predictor_hidden_size is None:
            predictor_hidden_size = max(sizes["projection_size"] // 4, 1)
        sizes["predictor_hidden_size"] = predictor_hidden_size
        super().__init__(encoder, views, name=name, **sizes)

    def objective(self, view1, view2, training):
        """Compares each prediction with the projection of the other view."""
        online1 = self.online(view1, training)
        online2 = self.online(view2, training)
        loss = negative_cosine(
            online1.prediction,
            online2.prediction,
            online1.projection,
            online2.projection,
        )
        return loss, online1.representation
