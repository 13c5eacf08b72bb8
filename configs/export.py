"""Export: every field, with unit and source.

    python export.py --workdir=runs/quickstart --to=exported/quickstart

Verified on the run's own images, or on others by `--config.data.*` as in
configs/eval_linear.py.
"""

import ml_collections

from configs import sections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.size = 0  # pixels of a side; 0: as the encoder was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256
    # Name of <name>.keras in the run folder, for the signature `classify`;
    # "": classifier, if there is one of classes; none: without.
    config.classifier = ""
    config.max_pixels = 89_478_485  # of a file; larger ones are not decoded

    config.verify = verify = ml_collections.ConfigDict()
    verify.images = 1000  # of the test and of the training images, for kNN
    verify.batch = 64  # images that are compared one by one, and timed
    verify.repeats = 5  # of each timing; the median counts
    verify.neighbours = 20  # of kNN, at most
    verify.temperature = 0.07  # of kNN's votes
    verify.seed = 0  # of the choice of images
    # Tolerances; beyond them the export is removed. The difference is in
    # units of the largest value of the representations.
    verify.max_difference = 1e-3
    verify.min_cosine = 0.9999
    # Of the original files, which TensorFlow decodes and resizes slightly
    # otherwise than Pillow; only of images of a folder.
    verify.min_cosine_files = 0.95

    config.data = sections.data()
    return config
