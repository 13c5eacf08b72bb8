"""An encoder in a detector of keras-cv."""

import keras
import numpy as np
import pytest

from byol_tf.modalities.image.adapters import as_keras_cv_backbone
from byol_tf.modalities.image.resnet import make_resnet

SIDE = 64


def encoder(blocks=(1, 1, 1, 1)):
    return make_resnet(
        "slim",
        (SIDE, SIDE, 3),
        stem="imagenet",
        blocks=blocks,
        widths=(8, 8, 16, 16)[: len(blocks)],
    )


@pytest.mark.slow
def test_a_retinanet_trains_on_it_and_finds_boxes():
    keras_cv = pytest.importorskip("keras_cv")
    model = encoder()
    images = np.random.default_rng(0).random((2, SIDE, SIDE, 3), np.float32)
    before = model.get_weights()
    vectors = model(images).numpy()
    backbone = as_keras_cv_backbone(model)
    np.testing.assert_array_equal(backbone(images), vectors)
    detector = keras_cv.models.RetinaNet(
        num_classes=2, bounding_box_format="xyxy", backbone=backbone
    )
    detector.compile(
        optimizer=keras.optimizers.SGD(1e-3, clipnorm=1.0),
        classification_loss="focal",
        box_loss="smoothl1",
        run_eagerly=True,
    )
    boxes = {
        "boxes": np.float32([[[8, 8, 40, 40]], [[20, 10, 60, 50]]]),
        "classes": np.float32([[0], [1]]),
    }
    history = detector.fit(images, boxes, batch_size=2, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    after = backbone.get_weights()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    found = detector.predict(images, verbose=0)
    assert found["boxes"].shape[0] == 2 and found["boxes"].shape[-1] == 4


def test_a_backbone_may_have_another_size_than_the_encoder():
    model = encoder()
    backbone = as_keras_cv_backbone(model, (96, 96, 3))
    assert backbone.input_shape == (None, 96, 96, 3)
    assert {"P3", "P4", "P5"} <= set(backbone.pyramid_level_inputs)
    for mine, given in zip(
        backbone.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, given)


def test_missing_levels_are_named():
    with pytest.raises(ValueError, match=r"P3, P4 and P5.*with P1, P2, P3"):
        as_keras_cv_backbone(encoder((1, 1)))
