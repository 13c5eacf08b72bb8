"""Linear evaluation: every field, with unit and source.

    byol_tf evaluate runs/quickstart

On any other labelled dataset:

    byol_tf evaluate runs/quickstart --data=$HOME/labelled \
        --config.data.image_size=28 --config.data.channels=1

The quickstart's encoder (seed 0) reaches 83.8 % by SGD, 85.2 % by logistic
regression and 83.3 % by kNN, in three minutes on two CPU cores. By logistic
regression, raw pixels reach 82.2 % and a random encoder 79.8 %.
`--config.sgd.epochs=0` skips the paper's protocol, which is the slow part.
"""

import ml_collections

from configs import sections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # The run's own modality, module:object, which is then imported; "": the
    # run uses one of the package.
    config.modality = ""
    config.seed = 0  # held-out part, batches, crops, random encoder, bootstrap
    # Share of the training examples, held out to choose every setting.
    config.holdout = 0.1
    config.max_train = 0  # labelled training examples; 0: all
    config.encode_batch = 512  # examples encoded at once, without gradients
    config.size = 0  # images: side in pixels; 0: as the encoder was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256

    config.data = sections.data()

    # BYOL, appendix D.1: Nesterov SGD, cosine decay, no warm-up, no weight
    # decay. One pass trains a classifier per rate on all training examples.
    config.sgd = sgd = ml_collections.ConfigDict()
    sgd.epochs = 80  # 0: skip this protocol
    sgd.batch_size = 256  # the paper uses 1024 on ImageNet
    # For a batch of 256: the paper's five, and larger ones for features of
    # small scale, as a random encoder's.
    sgd.learning_rates = (
        *(0.05, 0.1, 0.2, 0.3, 0.4),
        *(0.8, 1.6, 3.2, 6.4, 12.8),
    )
    sgd.momentum = 0.9
    sgd.random_encoder = True  # also on features of a random encoder

    # Crops and flips for sgd; None: the run's own, as in the paper.
    config.view = sections.crops()

    config.logistic = logistic = ml_collections.ConfigDict()
    # L2 penalties: factor of half the squared weights of standardised features,
    # added to the mean loss.
    logistic.penalties = (
        *(1e-1, 3e-2, 1e-2, 3e-3, 1e-3),
        *(3e-4, 1e-4, 3e-5, 1e-5),
    )

    config.knn = knn = ml_collections.ConfigDict()
    knn.neighbours = (1, 5, 10, 20, 50, 200)  # larger than the data: left out
    knn.temperature = 0.07  # of the votes

    config.bootstrap = bootstrap = ml_collections.ConfigDict()
    bootstrap.resamples = 2000
    bootstrap.level = 0.95  # confidence level of the intervals
    return config
