"""Export: every field, with unit and source.

    byol_tf export runs/quickstart exported/quickstart \
        --format=saved_model,onnx,litert

Verified on the images that pretraining kept in the run folder, or on a data
set by `--config.data.*` as in configs/eval_linear.py.
"""

import ml_collections

from configs import sections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # A kind of input of your own that the run names, module:object; it is
    # imported. "" for those of the package.
    config.modality = ""
    config.size = 0  # pixels of a side; 0: as the encoder was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256
    # Name of <name>.keras in the run folder, for the signature `predict`, or of
    # classes for `classify` and classifier.onnx; "": classifier, if there is
    # one; none: without.
    config.classifier = ""
    config.max_pixels = 100_000_000  # of a file; larger ones are not decoded

    config.litert = litert = ml_collections.ConfigDict()
    litert.precisions = "float32,float16,int8"  # a file each
    # Of training images, on which the ranges of int8 are measured.
    litert.calibration_images = 200

    config.verify = verify = ml_collections.ConfigDict()
    # Of the training and of the test images of a data set, for kNN; of the
    # images that were kept, each half votes on the other.
    verify.images = 1000
    verify.batch = 64  # images that are compared one by one, and timed
    verify.repeats = 5  # of each timing; the median counts
    verify.neighbours = 20  # of kNN, at most
    verify.temperature = 0.07  # of kNN's votes
    verify.seed = 0  # of the choice of images, also of those for int8
    # Tolerances by the precision of the weights; beyond them the export is
    # removed. Differences are in units of the largest value of the
    # representations. Rounded to 8 bits a value is off by up to 1 / 254 of
    # its layer's range, and layers add up.
    verify.float32 = tolerance(max_difference=1e-3, min_cosine=0.9999)
    verify.float16 = tolerance(max_difference=1e-2, min_cosine=0.999)
    verify.int8 = tolerance(max_difference=0.2, min_cosine=0.98)
    verify.max_knn_loss = 0.02  # share of images, below Keras
    # Of the original files, which TensorFlow decodes and resizes slightly
    # otherwise than Pillow; only of images of a folder.
    verify.min_cosine_files = 0.95

    config.data = sections.data()
    return config


def tolerance(**fields) -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict(fields)
