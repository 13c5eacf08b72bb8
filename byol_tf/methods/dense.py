"""BYOL on vectors, and on the positions of a feature map that both views show.

Detectors use feature maps, and recognisers of speech use frames. Here, a
position in one view predicts the target network's output at the same place in
the other view, with the networks and the loss of BYOL. Positions that only one
view shows are left out.
"""

import functools
from typing import ClassVar

import keras
import tensorflow as tf

from byol_tf.checks import check_number
from byol_tf.layers.graph import functional_graph
from byol_tf.layers.heads import mlp
from byol_tf.layers.parameters import parameters
from byol_tf.losses.positions import positions_loss
from byol_tf.methods.byol import BYOL

_HIDDEN, _SIZE = 256, 128  # projector and predictor of positions


@keras.saving.register_keras_serializable("byol_tf")
class DenseBYOL(BYOL):
    """Pretrains an encoder's vector and one of its feature maps by BYOL.

    Args:
        encoder: functional Keras model.
        views: an object with `draw_with_where(inputs, seed)`, such as
            `byol_tf.TwoViews`. All images of a batch must have one size.
        level: name of the layer whose feature map is trained, `[batch, rows,
            columns, channels]` or `[batch, frames, channels]`.
        dense_weight: weight of the loss of positions, in (0, 1].
        **kwargs: arguments of `BYOL`.

    Raises:
        ValueError: if the views do not report their place, or an argument has
            an invalid value.
    """

    checks: ClassVar = {
        **BYOL.checks,
        "dense_weight": functools.partial(check_number, low=1e-6, high=1.0),
    }

    def __init__(
        self,
        encoder: keras.Model,
        views=None,
        *,
        level: str,
        dense_weight: float = 0.5,
        name: str = "dense_byol",
        **kwargs,
    ):
        if not hasattr(views, "draw_with_where"):
            raise ValueError(
                "dense_byol needs views that report their place, of images or "
                "sounds, drawn in the training step; set augment.place=step. "
                f"Received: views={views!r}"
            )
        super().__init__(encoder, views, name=name, **kwargs)
        self.check(dense_weight=dense_weight)
        self.level, self.dense_weight = level, float(dense_weight)
        self._sizes |= {"level": level, "dense_weight": self.dense_weight}
        self._maps = _with_map(self.encoder, level)
        self._target_maps = _with_map(self.target_encoder, level)
        make = functools.partial(mlp, dtype=self.dtype_policy)
        channels = self._maps.output[1].shape[-1]
        sizes = channels, _HIDDEN, _SIZE
        self.dense_projector = make(*sizes, name="dense_projector")
        self.target_dense_projector = make(*sizes, name="target_dense")
        sizes = _SIZE, _HIDDEN, _SIZE
        self.dense_predictor = make(*sizes, name="dense_predictor")
        self.begin_target(self.dense_projector, self.target_dense_projector)

    def make_views(self, inputs):
        """Returns two pairs: a view, and its place in the example."""
        return self.views.draw_with_where(inputs, self.view_seed())

    def objective(self, view1, view2, training):
        (images1, where1), (images2, where2) = view1, view2
        online1, predictions1 = self._online_outputs(images1, training)
        online2, predictions2 = self._online_outputs(images2, training)
        target1, projections1 = self._target_outputs(images1, training)
        target2, projections2 = self._target_outputs(images2, training)
        loss = self.compare(online1[1], online2[1], target1, target2)
        dense = positions_loss(predictions1, projections2, where1, where2)
        dense += positions_loss(predictions2, projections1, where2, where1)
        weight = self.dense_weight
        return (1.0 - weight) * loss + weight * dense, online1[0]

    def _online_outputs(self, images, training):
        vector, maps = self._maps(images, training=training)
        projection = self.projector(vector, training=training)
        prediction = self.predictor(projection, training=training)
        layers = self.dense_projector, self.dense_predictor
        vectors = [tf.cast(v, tf.float32) for v in (vector, prediction)]
        return vectors, _each_position(maps, layers, training)

    def _target_outputs(self, images, training):
        vector, maps = self._target_maps(images, training=training)
        projection = self.target_projector(vector, training=training)
        layers = (self.target_dense_projector,)
        dense = _each_position(maps, layers, training)
        return tf.cast(projection, tf.float32), dense

    # ---- variables ----------------------------------------------------

    @property
    def _online_networks(self):
        dense_networks = [self.dense_projector, self.dense_predictor]
        return [*super()._online_networks, *dense_networks]

    @property
    def _predictors(self):
        return [*super()._predictors, self.dense_predictor]

    @functools.cached_property
    def target_variables(self) -> list[keras.Variable]:
        """Parameters of the target network, frozen ones included."""
        dense_parameters = parameters(self.target_dense_projector)
        return [*super().target_variables, *dense_parameters]

    @functools.cached_property
    def _averaged_online(self):
        return [*super()._averaged_online, *parameters(self.dense_projector)]


def _with_map(encoder, level):
    """Makes a model from inputs to the vector and the map of a layer."""
    graph = functional_graph(encoder)
    maps = graph.get_layer(level).output
    if len(maps.shape) == 3:  # frames: a map of one row
        maps = keras.ops.expand_dims(maps, 1)
    return keras.Model(graph.inputs[0], [graph.outputs[0], maps])


def _each_position(maps, networks, training):
    """Applies networks for vectors at each position of a feature map."""
    _, rows, columns, channels = maps.shape
    vectors = tf.reshape(maps, [-1, channels])
    for network in networks:
        vectors = network(vectors, training=training)
    vectors = tf.cast(vectors, tf.float32)
    return tf.reshape(vectors, [-1, rows, columns, vectors.shape[-1]])
