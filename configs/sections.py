"""Sections shared by several commands; unset fields take the run's values."""

import ml_collections
from ml_collections.config_dict import placeholder


def data() -> ml_collections.ConfigDict:
    """Returns fields for another dataset, as in configs/base.py, all None."""
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
    """Returns fields for crops and flips of images in training, all None."""
    section = ml_collections.ConfigDict()
    section.area = placeholder(tuple)  # range of the crop's share of the image
    section.aspect = placeholder(tuple)  # range of the crop's width / height
    section.resize = placeholder(str)  # bicubic or bilinear
    section.flip = placeholder(float)  # probability
    section.rotate = placeholder(float)  # largest angle in degrees
    section.jitter = placeholder(float)  # probability of the colour jitter
    return section
