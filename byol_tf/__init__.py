"""byol_tf: BYOL for TensorFlow and Keras 3."""

__version__ = "0.2.0"

# They register their classes and those they are made of: whoever imports any
# part of the package loads its models and layers in Keras's safe mode.
from byol_tf.methods.byol import BYOL
from byol_tf.methods.joint import BarlowTwins, SimCLR, Triplet, VICReg
from byol_tf.methods.moco_v3 import MoCoV3
from byol_tf.methods.simsiam import SimSiam
from byol_tf.modalities.image.resnet import ResNet
from byol_tf.modalities.image.views import TwoViews, View
from byol_tf.optim.optimizers import LARS
from byol_tf.optim.schedules import CosineTau, WarmupCosine

__all__ = [
    "BYOL",
    "LARS",
    "BarlowTwins",
    "CosineTau",
    "MoCoV3",
    "ResNet",
    "SimCLR",
    "SimSiam",
    "Triplet",
    "TwoViews",
    "VICReg",
    "View",
    "WarmupCosine",
]
