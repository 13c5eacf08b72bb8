"""Fine-tuning: every field, with unit and source.

    byol_tf finetune runs/quickstart --labels=1%,10%,100%

Five seeds of ten labels per class, compared with training from scratch:

    byol_tf finetune runs/quickstart --labels=10-per-class \
        --config.seeds=5

For another dataset see configs/eval_linear.py. With a file of labels next to
the images of a folder:

    byol_tf finetune runs/quickstart --task=keypoints --labels=100% \
        --data=$HOME/hands --config.labels_file=points.csv

Measured accuracies are in docs/results.md.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from configs import sections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # The run's own modality, module:object, which is then imported; "": the
    # run uses one of the package.
    config.modality = ""
    # If the run began with weights, "scratch" also adds "as it came".
    config.variants = ("fine-tuned", "frozen", "scratch")
    config.seed = 0  # of the first repetition: labels, head, order, views
    config.seeds = 1  # repetitions, each with its own subset of the labels
    config.grid_seeds = 1  # repetitions that search over all settings

    # BYOL's paper (appendix D.2) uses Nesterov SGD at 0.005 to 0.1 for batches
    # of 1024 on ImageNet, without weight decay. The rates here are for a batch
    # of 256 and scale linearly; small images and new heads need larger ones.
    config.learning_rates = (0.4, 0.1, 0.025)  # of the encoder
    # On the frozen encoder. Rates of a head fall with the mean squared norm of
    # its vectors where that is above 256, as the largest stable rate does.
    config.head_learning_rates = (6.4, 1.6, 0.4, 0.1)
    config.weight_decays = (0.0,)  # in the gradient; decoupled for adamw
    config.head_rate = 1.0  # learning rate of the head / of the encoder
    config.optimizer = optimizer = ml_collections.ConfigDict()
    optimizer.name = "sgd"  # Nesterov; or adamw, with rates near 1e-3; lars
    optimizer.momentum = 0.9  # of sgd and lars
    config.batch_norm = "train"  # or frozen: keep the encoder's statistics
    config.batch_size = 64  # smaller if there are fewer labelled examples

    # Passes over the labelled examples, between min_steps and max_steps.
    config.epochs = 30
    config.min_steps = 300  # lowered in proportion if you set --config.epochs
    config.max_steps = 1500  # of one training
    config.warmup = 0.05  # share of the steps; then cosine decay to 0

    # Share of the labels, at least one per class, that chooses the setting and
    # the best step. Of 10-per-class, 8 are learned from and 2 are held out.
    config.validation = 0.2
    config.choose_by = "auto"  # loss, metric; auto: loss below 200 examples
    config.eval_every = 25  # steps between two validations
    config.patience = 8  # validations without improvement before stopping
    config.encode_batch = 512  # examples encoded at once, without gradients

    config.size = 0  # images: side in pixels; 0: as the encoder was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256

    # Crops and flips of images in training; None: the run's own. For keypoints
    # only with task.crops.
    config.view = sections.crops()

    config.augment = augment = ml_collections.ConfigDict()  # images; keras-cv
    augment.name = "none"  # or randaugment
    augment.magnitude = 0.5  # randaugment, in [0, 1]
    augment.operations = 2  # randaugment, per image
    augment.mixup = 0.0  # alpha; 0: off
    augment.cutmix = 0.0  # alpha; 0: off

    # Options of single tasks; None: the default named here.
    config.task = task = ml_collections.ConfigDict()
    # classification: in [0, 1), default 0.
    task.label_smoothing = placeholder(float)
    # classification: none or balanced, default none.
    task.class_weights = placeholder(str)
    # detection: lowest score of a box to report, default 0.3.
    task.confidence = placeholder(float)
    # keypoints: largest distance of a correct point, as a share of the object's
    # extent, default 0.1.
    task.pck_alpha = placeholder(float)
    # keypoints: crop, flip and turn images with their points, default: with
    # heatmaps.
    task.crops = placeholder(bool)
    # transcription: prefixes kept by the beam search, default 1.
    task.beam = placeholder(int)
    # keypoints: heatmap or vector, default heatmap.
    task.head = placeholder(str)

    # CSV file in the folder of the training files; "": the dataset's labels.
    config.labels_file = ""
    config.test_labels_file = ""  # in the test folder; "": same name

    config.data = sections.data()
    return config
