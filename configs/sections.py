"""Fields that several scripts have in common, unset: as in the run."""

import ml_collections
from ml_collections.config_dict import placeholder


def data() -> ml_collections.ConfigDict:
    """Another data set, as in configs/base.py; None where the run's holds."""
    section = ml_collections.ConfigDict()
    section.source = placeholder(str)
    section.name = placeholder(str)
    section.dir = placeholder(str)
    section.train_split = placeholder(str)
    section.test_split = placeholder(str)
    section.image_size = placeholder(int)
    section.channels = placeholder(int)
    section.features = placeholder(str)
    section.layout = placeholder(str)
    section.label_column = placeholder(str)
    section.text_column = placeholder(str)
    section.cache = placeholder(str)
    section.cache_gb = placeholder(float)
    section.cache_dir = placeholder(str)
    section.max_megapixels = placeholder(float)
    section.window_seconds = placeholder(float)
    section.max_bad_share = placeholder(float)
    return section


def crops() -> ml_collections.ConfigDict:
    """Crops and flips of training; None where the run's own hold."""
    section = ml_collections.ConfigDict()
    section.area = placeholder(tuple)  # of the crop, share of the image
    section.aspect = placeholder(tuple)  # of the crop, width by height
    section.resize = placeholder(str)  # bicubic or bilinear
    section.flip = placeholder(float)  # probability
    section.rotate = placeholder(float)  # degrees at most to either side
    section.jitter = placeholder(float)  # probability of the colour jitter
    return section
