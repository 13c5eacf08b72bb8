"""Embedding and search: every field, with unit and source.

    byol_tf embed runs/quickstart $HOME/photos

`docs/search.md` has the measurements.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # The run's own modality, module:object, which is then imported; "": the
    # run uses one of the package.
    config.modality = ""
    # Images: side in pixels that files are decoded to, by centre crop; 0: as
    # in the run.
    config.image_size = 0
    config.size = 0  # images: side of the encoder's input; 0: as it was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256
    config.encode_batch = 256  # rows encoded at once
    config.data = data = ml_collections.ConfigDict()
    data.text_column = ""  # tables of texts: their column; "": as in the run

    # A part is written after this many rows or seconds; an interruption
    # loses one part at most.
    config.part = part = ml_collections.ConfigDict()
    part.images = 4096
    part.seconds = 60.0

    config.neighbours = 10  # nearest rows to report for each --query

    config.index = index = ml_collections.ConfigDict()
    # Up to this many rows the search is exact. Above, an approximate index
    # (HNSW) is built once and stored next to the embeddings.
    index.exact_below = 100_000
    index.connectivity = 16  # edges per row in the graph
    index.expansion_add = 128  # candidates while building
    index.expansion_search = 128  # candidates while searching

    config.duplicates = duplicates = ml_collections.ConfigDict()
    # Lowest cosine of near-duplicates (docs/search.md). 0: rows that are far
    # nearer to each other than to the next one, more than chance explains.
    duplicates.threshold = 0.0
    duplicates.neighbours = 32  # nearest rows checked per row

    config.sheet = sheet = ml_collections.ConfigDict()
    sheet.groups = 8  # largest groups of duplicates shown
    sheet.images = 10  # rows shown per group

    config.map = plane = ml_collections.ConfigDict()
    plane.images = 2000  # at most, evenly spaced in the file of embeddings
    plane.thumbnail = 56  # side in pixels
    plane.components = 50  # principal components given to t-SNE
    plane.perplexity = 30.0
    plane.seed = 0
    return config
