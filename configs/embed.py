"""Embedding and search: every field, with unit and source.

    byol_tf embed runs/quickstart $HOME/photos

`docs/search.md` has what was measured.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # A kind of input of your own that the run names, module:object; it is
    # imported. "" for those of the package.
    config.modality = ""
    # Pixels of a side that files are decoded to, by centre crop; 0: as the
    # run's own images were.
    config.image_size = 0
    config.size = 0  # of what the encoder gets; 0: as it was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256
    config.encode_batch = 256  # images encoded at once

    # What an interruption can cost at most.
    config.part = part = ml_collections.ConfigDict()
    part.images = 4096  # whose representations are in memory at once
    part.seconds = 60.0

    config.neighbours = 10  # of every --query

    config.index = index = ml_collections.ConfigDict()
    # Images up to which every representation is compared; above, an
    # approximate index (HNSW) is built once and kept beside the embeddings.
    index.exact_below = 100_000
    index.connectivity = 16  # edges of an image in its graph
    index.expansion_add = 128  # candidates while it is built
    index.expansion_search = 128  # candidates of a search

    config.duplicates = duplicates = ml_collections.ConfigDict()
    # Cosine, see docs/search.md; 0: those that are far nearer to each other
    # than to the next image, as far as chance does not explain in these images.
    duplicates.threshold = 0.0
    duplicates.neighbours = 32  # of each image that are looked at

    config.sheet = sheet = ml_collections.ConfigDict()
    sheet.groups = 8  # of duplicates, the largest
    sheet.images = 10  # of each group

    config.map = plane = ml_collections.ConfigDict()
    plane.images = 2000  # at most, at equal distances in the embeddings
    plane.thumbnail = 56  # pixels of a side
    plane.components = 50  # principal components that t-SNE starts from
    plane.perplexity = 30.0
    plane.seed = 0
    return config
