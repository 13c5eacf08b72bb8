"""Runs keras-cv's RetinaNet on our encoder: training or prediction."""

import keras
import keras_cv
import numpy as np
import tensorflow as tf

from benchmarks.workers import protocol
from benchmarks.workers.ours_detect import CLASSES, make_encoder, scene
from byol_tf.modalities.image.adapters import as_keras_cv_backbone
from byol_tf.runtime import share_cores

STEPS = 4  # steps per call of `fit`, whose own overhead is large


def prepare(case: dict) -> protocol.Repeated:
    """Uses one batch throughout, so that the training loss has to fall."""
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
        batches = tf.data.Dataset.from_tensors((images, truth)).repeat()

        def steps():
            result = detector.fit(batches, steps_per_epoch=STEPS, verbose=0)
            return result.history["loss"][-1]

        units = STEPS * case["batch"]
        return protocol.Repeated(steps, units, case["seconds"])

    @tf.function(autograph=False)
    def detect(images):
        outputs = detector(images, training=False)
        return detector.decode_predictions(outputs, images)["boxes"]

    inputs = tf.constant(images)

    def piece():
        detect(inputs).numpy()

    return protocol.Repeated(piece, case["batch"], case["seconds"])


if __name__ == "__main__":
    share_cores()
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras", "keras-cv")
