"""Linear evaluation: every field, with unit and source.

    byol_tf evaluate runs/quickstart

Any other labelled data set:

    byol_tf evaluate runs/quickstart --data=$HOME/labelled \
        --config.data.image_size=28 --config.data.channels=1

On the quickstart's encoder of seed 0: 83.8 % by SGD, 85.2 % by logistic
regression, 83.3 % by kNN, in three minutes on two CPU cores (raw pixels 82.2 %
by logistic regression, a random encoder 79.8 %).
`--config.sgd.epochs=0` leaves out the paper's protocol, the slow one.
"""

import ml_collections

from configs import sections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # A kind of input of your own that the run names, module:object; it is
    # imported. "" for those of the package.
    config.modality = ""
    config.seed = 0  # held-out part, batches, crops, random encoder, bootstrap
    config.holdout = 0.1  # of the training images: chooses every setting
    config.max_train = 0  # labelled training images; 0: all
    config.encode_batch = 512  # images encoded at once, without gradients
    config.size = 0  # pixels of a side; 0: as the encoder was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256

    config.data = sections.data()

    # BYOL, appendix D.1: Nesterov, cosine, no warm-up, no weight decay. All
    # training images are learned from with every rate, without a second pass.
    config.sgd = sgd = ml_collections.ConfigDict()
    sgd.epochs = 80  # 0 leaves this protocol out
    sgd.batch_size = 256  # the paper has 1024 on ImageNet
    # For a batch of 256. The paper's five, and larger ones, which features of
    # small scale need, a random encoder's above all.
    sgd.learning_rates = (
        *(0.05, 0.1, 0.2, 0.3, 0.4),
        *(0.8, 1.6, 3.2, 6.4, 12.8),
    )
    sgd.momentum = 0.9
    sgd.random_encoder = True  # train on the random encoder as well

    # Crops and flips of sgd's images, the run's own where None; the paper has
    # the same in both.
    config.view = sections.crops()

    config.logistic = logistic = ml_collections.ConfigDict()
    # Times half the squared weights of standardised features, added to the
    # mean loss.
    logistic.penalties = (
        *(1e-1, 3e-2, 1e-2, 3e-3, 1e-3),
        *(3e-4, 1e-4, 3e-5, 1e-5),
    )

    config.knn = knn = ml_collections.ConfigDict()
    knn.neighbours = (1, 5, 10, 20, 50, 200)  # those that the data allow
    knn.temperature = 0.07  # of the votes

    config.bootstrap = bootstrap = ml_collections.ConfigDict()
    bootstrap.resamples = 2000
    bootstrap.level = 0.95  # of the intervals
    return config
