"""SimSiam: BYOL without a target network of its own.

loss = -cos(prediction1, stop(projection2)) / 2
       -cos(prediction2, stop(projection1)) / 2
"""

import keras

from byol_tf.losses.objectives import negative_cosine
from byol_tf.methods.pretrainer import Pretrainer


@keras.saving.register_keras_serializable("byol_tf")
class SimSiam(Pretrainer):
    """Pretrains an encoder to predict its own projection of the other view.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        hidden_size: hidden width of the projector.
        projection_size: length of projections and predictions.
        projector_layers: linear layers of the projector; 2 suffice on
            CIFAR-10 in the paper.
        normalize_projection: see `Pretrainer`.
        predictor_hidden_size: hidden width of the predictor, a bottleneck;
            None for a quarter of `projection_size`, as in the paper; 0 for no
            predictor, an ablation.
        **kwargs: of `Pretrainer` (`probe_classes`, `seed`, `dtype`, ...).

    Reference: Chen and He 2021, "Exploring Simple Siamese Representation
    Learning", section 3 and algorithm 1.
    """

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        hidden_size: int = 2048,
        projection_size: int = 2048,
        projector_layers: int = 3,
        normalize_projection: bool = True,
        predictor_hidden_size: int | None = None,
        name: str = "simsiam",
        **kwargs,
    ):
        if predictor_hidden_size is None:
            predictor_hidden_size = max(projection_size // 4, 1)
        super().__init__(
            encoder,
            views,
            hidden_size=hidden_size,
            projection_size=projection_size,
            projector_layers=projector_layers,
            normalize_projection=normalize_projection,
            predictor_hidden_size=predictor_hidden_size,
            name=name,
            **kwargs,
        )

    def objective(self, view1, view2, training):
        """Every view's prediction with the projection of the other."""
        online1 = self.online(view1, training)
        online2 = self.online(view2, training)
        loss = negative_cosine(
            online1.prediction,
            online2.prediction,
            online1.projection,
            online2.projection,
        )
        return loss, online1.representation
