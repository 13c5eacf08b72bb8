"""Export: every field, with unit and source.

    byol_tf export runs/quickstart exported/quickstart \
        --format=saved_model,onnx,litert

Exports are verified on the examples that pretraining kept in the run folder, or
on a dataset given by `--config.data.*` as in configs/eval_linear.py.
"""

import ml_collections

from configs import sections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # The run's own modality, module:object, which is then imported; "": the
    # run uses one of the package.
    config.modality = ""
    config.size = 0  # images: side in pixels; 0: as the encoder was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256
    # Fine-tuned model <name>.keras of the run folder to export along: as the
    # signature `classify`, `detect`, `transcribe` or `predict`, by its task.
    # "": classifier, if it exists; none: only the encoder.
    config.classifier = ""
    config.max_pixels = 100_000_000  # per image; larger ones are not decoded

    config.litert = litert = ml_collections.ConfigDict()
    litert.precisions = "float32,float16,int8"  # one file each
    litert.calibration_images = 200  # training examples to measure int8 ranges

    config.verify = verify = ml_collections.ConfigDict()
    # For kNN: training and test examples of a dataset, this many of each.
    # Without one, each half of the kept examples votes on the other.
    verify.images = 1000
    verify.batch = 64  # examples compared one by one, and timed
    verify.repeats = 5  # timings; the median is reported
    verify.neighbours = 20  # for kNN, at most
    verify.temperature = 0.07  # of kNN's votes
    verify.seed = 0  # of the choice of examples, also for int8
    # Tolerances by precision of the weights; an export beyond them is removed.
    # Differences are relative to the largest value of the representations. With
    # 8 bits a value is off by up to 1 / 254 of its layer's range, and the
    # errors of the layers add up.
    verify.float32 = tolerance(max_difference=1e-3, min_cosine=0.9999)
    verify.float16 = tolerance(max_difference=1e-2, min_cosine=0.999)
    verify.int8 = tolerance(max_difference=0.2, min_cosine=0.98)
    verify.max_knn_loss = 0.02  # loss of kNN accuracy against Keras
    # For files of a folder, since TensorFlow decodes and resizes slightly
    # differently from Pillow.
    verify.min_cosine_files = 0.95

    config.data = sections.data()
    return config


def tolerance(**fields) -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict(fields)
