"""Joint-embedding methods: one network, and a loss on both views' projections.

SimCLR, the triplet loss, Barlow Twins and VICReg differ only in the loss, which
prevents collapse without predictor or target network.
"""

import functools
from typing import ClassVar

import keras
import tensorflow as tf

from byol_tf.checks import check_number, check_positive
from byol_tf.distribute.replicas import gather_replicas
from byol_tf.losses import contrastive, decorrelation
from byol_tf.methods.pretrainer import Pretrainer

_not_negative = functools.partial(check_number, low=0.0)


class JointEmbedding(Pretrainer):
    """Base of methods that compare the projections of both views.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        **kwargs: arguments of `Pretrainer`; `sizes` has the method's defaults.
    """

    sizes: ClassVar = {"hidden_size": 2048, "projection_size": 128}

    def __init__(self, encoder: keras.Model, views=None, **kwargs):
        super().__init__(encoder, views, **{**self.sizes, **kwargs})

    def objective(self, view1, view2, training):
        """Computes the loss on the projections of all replicas."""
        online1 = self.online(view1, training)
        online2 = self.online(view2, training)
        loss = self.compare(
            gather_replicas(online1.projection),
            gather_replicas(online2.projection),
        )
        return loss, online1.representation

    def compare(self, projection1: tf.Tensor, projection2: tf.Tensor):
        """Returns the float32 scalar loss of projections `[batch, size]`."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("byol_tf")
class SimCLR(JointEmbedding):
    """Recognises the other view of an image among all views of the batch.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        temperature: temperature of the softmax over cosines; positive.
        **kwargs: arguments of `Pretrainer`.

    Reference: Chen et al. 2020, "A Simple Framework for Contrastive Learning of
    Visual Representations", section 2. The batch norm in the projector is that
    of the official code.
    """

    checks: ClassVar = {**Pretrainer.checks, "temperature": check_positive}

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        temperature: float = 0.2,
        name: str = "simclr",
        **kwargs,
    ):
        super().__init__(encoder, views, name=name, **kwargs)
        self.keep(temperature=temperature)

    def compare(self, projection1, projection2):
        """Returns the NT-Xent loss."""
        return contrastive.nt_xent(projection1, projection2, self.temperature)


@keras.saving.register_keras_serializable("byol_tf")
class Triplet(JointEmbedding):
    """Keeps other images farther away than the other view of the same image.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        margin: how much farther, as a squared distance of unit vectors; above 0
            and at most 4.
        **kwargs: arguments of `Pretrainer`.

    Reference: Schroff et al. 2015, "FaceNet", for the loss and its semi-hard
    negatives. FaceNet uses labels; here each image is its own class. The
    projector is that of SimCLR.
    """

    checks: ClassVar = {
        **Pretrainer.checks,
        "margin": functools.partial(check_positive, high=4.0),
    }

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        margin: float = 0.2,
        name: str = "triplet",
        **kwargs,
    ):
        super().__init__(encoder, views, name=name, **kwargs)
        self.keep(margin=margin)

    def compare(self, projection1, projection2):
        """Returns the triplet loss with semi-hard negatives."""
        return contrastive.triplet_semi_hard(
            projection1, projection2, self.margin
        )


class WideEmbedding(JointEmbedding):
    """Base of methods with a loss on single units, which needs many units."""

    sizes: ClassVar = {
        "hidden_size": 8192,
        "projection_size": 8192,
        "projector_layers": 3,
    }


@keras.saving.register_keras_serializable("byol_tf")
class BarlowTwins(WideEmbedding):
    """Makes the cross-correlation of the two views' units the identity matrix.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        off_diagonal_weight: weight of the correlations between different units.
        loss_scale: factor of the whole loss; positive, 0.024 in the official
            code.
        **kwargs: arguments of `Pretrainer`. Long projections work better in the
            paper.

    Reference: Zbontar et al. 2021, "Barlow Twins", section 2.
    """

    checks: ClassVar = {
        **Pretrainer.checks,
        "off_diagonal_weight": _not_negative,
        "loss_scale": check_positive,
    }

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        off_diagonal_weight: float = 0.005,
        loss_scale: float = 0.024,
        name: str = "barlow_twins",
        **kwargs,
    ):
        super().__init__(encoder, views, name=name, **kwargs)
        self.keep(
            off_diagonal_weight=off_diagonal_weight, loss_scale=loss_scale
        )

    def compare(self, projection1, projection2):
        """Returns the loss of Barlow Twins, scaled."""
        return self.loss_scale * decorrelation.barlow_twins(
            projection1, projection2, self.off_diagonal_weight
        )


@keras.saving.register_keras_serializable("byol_tf")
class VICReg(WideEmbedding):
    """Makes both views equal, while units vary and are uncorrelated.

    Args:
        encoder: as in `Pretrainer`.
        views: as in `Pretrainer`.
        invariance: weight of the distance between the views; at least 0.
        variance: weight of the hinge loss that lifts each unit's standard
            deviation to 1; at least 0.
        covariance: weight of the covariances between units; at least 0.
        **kwargs: arguments of `Pretrainer`.

    Reference: Bardes et al. 2022, "VICReg", section 4.
    """

    terms = ("invariance", "variance", "covariance")
    checks: ClassVar = {
        **Pretrainer.checks,
        **dict.fromkeys(terms, _not_negative),
    }

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        name: str = "vicreg",
        **kwargs,
    ):
        super().__init__(encoder, views, name=name, **kwargs)
        self.keep(
            invariance=invariance, variance=variance, covariance=covariance
        )

    def compare(self, projection1, projection2):
        """Returns the weighted sum of the three terms."""
        weights = {term: getattr(self, term) for term in self.terms}
        return decorrelation.vicreg(projection1, projection2, **weights)
