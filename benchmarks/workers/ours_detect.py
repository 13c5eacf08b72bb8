"""Runs our detector: a step of fine-tuning, or prediction of a batch."""

import keras
import numpy as np
import tensorflow as tf

from benchmarks.workers import protocol
from byol_tf.jobs.finetune import build
from byol_tf.jobs.finetune.trainer import FineTuner
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.modalities.levels import find_levels
from byol_tf.runtime import share_cores
from byol_tf.tasks.detection import Detection
from configs import objects

CLASSES = ("a", "b", "c")
BOXES = 14  # objects of an image, as in BCCD


def prepare(case: dict) -> protocol.Repeated:
    """Uses one batch throughout, so that the training loss has to fall."""
    tf.config.run_functions_eagerly(case["eager"])
    images, boxes, classes = scene(case["batch"], case["side"])
    tuner = FineTuner(
        encoder := make_encoder(case["side"]),
        Detection(CLASSES),
        tf.TensorSpec([None, case["side"], case["side"], 3]),
        keras.layers.Identity(),
        build.settings(objects.get_config()),
        levels=find_levels(encoder),
    )
    piece = _train if case["work"] == "train" else _detect
    piece = piece(tuner, images, boxes, classes)
    return protocol.Repeated(piece, case["batch"], case["seconds"])


def _train(tuner, images, boxes, classes):
    side = images.shape[1]
    targets = {
        "boxes": boxes / side,
        "classes": classes,
        "crowd": np.zeros_like(classes),
    }
    targets = {name: tf.constant(value) for name, value in targets.items()}
    images = tf.constant(images)
    return lambda: float(
        tuner.step(images, targets, rate=1e-3, decay=0.01, whole=True)
    )


def _detect(tuner, images, boxes, classes):
    side = images.shape[1]
    origin = {"size": tf.fill([len(images), 2], side)}
    images = tf.constant(images)

    @tf.function(autograph=False)
    def detect(images):
        outputs = tuner.classifier(images, training=False)
        return tuner.task.decode(outputs, origin)

    return lambda: detect(images)["boxes"].numpy() is None or None


def make_encoder(side: int) -> keras.Model:
    """Makes a small ResNet with strides 4 to 32, as keras-cv needs."""
    keras.utils.set_random_seed(0)
    return make_resnet("slim", (side, side, 3), stem="imagenet")


def scene(batch: int, side: int) -> tuple[np.ndarray, ...]:
    """Makes noise with squares: images in [0, 1], boxes in pixels, classes."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 0.5, (batch, side, side, 3)).astype(np.float32)
    size = rng.integers(side // 16, side // 5, (batch, BOXES, 1))
    low = rng.integers(0, side - side // 5, (batch, BOXES, 2))
    boxes = np.concatenate([low, low + size], axis=-1)
    classes = rng.integers(0, len(CLASSES), (batch, BOXES)).astype(np.int32)
    for image, image_boxes, labels in zip(images, boxes, classes, strict=True):
        for (x0, y0, x1, y1), label in zip(image_boxes, labels, strict=True):
            image[y0:y1, x0:x1, label] = 1.0
    return images, boxes.astype(np.float32), classes


if __name__ == "__main__":
    share_cores()
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras")
