"""keras-cv's RetinaNet on our encoder: a training step, or its boxes."""

import keras
import keras_cv
import numpy as np
import tensorflow as tf

from benchmarks.workers import protocol
from benchmarks.workers.ours_detect import CLASSES, make_encoder, scene
from byol_tf.modalities.image.adapters import as_keras_cv_backbone
from byol_tf.runtime import share_cores

ANCHORS = (16, 32, 64)  # pixels, on strides of 8, 16 and 32


def prepare(case: dict) -> protocol.Repeated:
    """The same batch over and over: the loss of a training has to fall."""
    images, boxes, classes = scene(case["batch"], case["side"])
    detector = keras_cv.models.RetinaNet(
        num_classes=len(CLASSES),
        bounding_box_format="xyxy",
        backbone=as_keras_cv_backbone(make_encoder(case["side"])),
    )
    detector.compile(
        optimizer=keras.optimizers.AdamW(5e-4, clipnorm=5.0),
        classification_loss="focal",
        box_loss="smoothl1",
        run_eagerly=case["eager"],
        jit_compile=False,
    )
    if case["work"] == "train":
        truth = {"boxes": boxes, "classes": classes.astype(np.float32)}
        given = tf.constant(images), tf.nest.map_structure(tf.constant, truth)

        def step():
            found = detector.train_on_batch(*given, return_dict=True)
            return float(found["loss"])

        return protocol.Repeated(step, case["batch"], case["seconds"])

    def detect():
        detector.predict_on_batch(images)

    return protocol.Repeated(detect, case["batch"], case["seconds"])


if __name__ == "__main__":
    share_cores()
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras", "keras-cv")
