"""The public names of the package, which `byol_tf` itself exports.

Importing this module registers every class with Keras.
"""

import functools

from byol_tf.data.split import balanced_subset
from byol_tf.evaluation.collapse import collapse_statistics, diagnose
from byol_tf.evaluation.features import FeatureExtractor, extract_features
from byol_tf.evaluation.fewshot import few_shot_accuracy
from byol_tf.evaluation.knn import knn_accuracy, nearest_neighbours
from byol_tf.evaluation.linear import ridge_classifier
from byol_tf.evaluation.logistic import logistic_classifiers
from byol_tf.evaluation.pose import add_error, add_s_error
from byol_tf.jobs.convert.conversion import read_encoder
from byol_tf.jobs.export.simple import export_saved_model
from byol_tf.jobs.pretrain import program
from byol_tf.methods.byol import BYOL
from byol_tf.methods.dense import DenseBYOL
from byol_tf.methods.joint import BarlowTwins, SimCLR, Triplet, VICReg
from byol_tf.methods.moco_v3 import MoCoV3
from byol_tf.methods.simsiam import SimSiam
from byol_tf.modalities.image.adapters import (
    as_keras_cv_backbone,
    make_encoder,
    vector_encoder,
)
from byol_tf.modalities.image.reading import load_images as load_examples
from byol_tf.modalities.image.resnet import ResNet, make_resnet
from byol_tf.modalities.image.views import CentreView, TwoViews, View
from byol_tf.optim.optimizers import LARS
from byol_tf.optim.schedules import CosineTau, WarmupCosine
from byol_tf.reports.grids import neighbours_grid, views_grid
from byol_tf.reports.plots import curves
from byol_tf.runs.encoder import load_encoder
from byol_tf.tasks.pose import solve_pose
from byol_tf.tasks.task import Task, VectorTask
from byol_tf.training.monitors import CollapseMonitor, KNNMonitor

# Like the command, `pretrain` accepts official weights to start from.
pretrain = functools.update_wrapper(
    functools.partial(program.pretrain, official=read_encoder), program.pretrain
)

__all__ = [
    "BYOL",
    "LARS",
    "BarlowTwins",
    "CentreView",
    "CollapseMonitor",
    "CosineTau",
    "DenseBYOL",
    "FeatureExtractor",
    "KNNMonitor",
    "MoCoV3",
    "ResNet",
    "SimCLR",
    "SimSiam",
    "Task",
    "Triplet",
    "TwoViews",
    "VICReg",
    "VectorTask",
    "View",
    "WarmupCosine",
    "add_error",
    "add_s_error",
    "as_keras_cv_backbone",
    "balanced_subset",
    "collapse_statistics",
    "curves",
    "diagnose",
    "export_saved_model",
    "extract_features",
    "few_shot_accuracy",
    "knn_accuracy",
    "load_encoder",
    "load_examples",
    "logistic_classifiers",
    "make_encoder",
    "make_resnet",
    "nearest_neighbours",
    "neighbours_grid",
    "pretrain",
    "ridge_classifier",
    "solve_pose",
    "vector_encoder",
    "views_grid",
]
