"""Fine-tuning: every field, with unit and source.

    byol_tf finetune runs/quickstart --labels=1%,10%,100%

Five seeds of ten labels per class, compared with training from scratch:

    byol_tf finetune runs/quickstart --labels=10-per-class \
        --config.seeds=5

Another data set as in configs/eval_linear.py. Files of labels beside the
images of a folder:

    byol_tf finetune runs/quickstart --task=keypoints --labels=100% \
        --data=$HOME/hands --config.labels_file=points.csv

What it reaches is in docs/results.md.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from configs import sections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # A kind of input of your own that the run names, module:object; it is
    # imported. "" for those of the package.
    config.modality = ""
    # "as it came" is added to scratch where the run began with weights.
    config.variants = ("fine-tuned", "frozen", "scratch")
    config.seed = 0  # of the first repetition: labels, head, order, views
    config.seeds = 1  # repetitions, each with a subset of its own
    config.grid_seeds = 1  # of them try every setting

    # The paper has Nesterov SGD at 0.005 to 0.1 for batches of 1024 on
    # ImageNet and no weight decay (BYOL, appendix D.2). Rates are for a batch
    # of 256, scaled linearly; small images and heads take larger ones.
    config.learning_rates = (0.4, 0.1, 0.025)  # of the encoder
    config.head_learning_rates = (6.4, 1.6, 0.4, 0.1)  # on the frozen encoder
    config.weight_decays = (0.0,)  # added to the gradient; AdamW's decoupled
    config.head_rate = 1.0  # learning rate of the head by the encoder's
    config.optimizer = optimizer = ml_collections.ConfigDict()
    optimizer.name = "sgd"  # Nesterov; or adamw, with rates near 1e-3; lars
    optimizer.momentum = 0.9  # of sgd and lars
    config.batch_norm = "train"  # or frozen: the encoder's own statistics
    config.batch_size = 64  # at most the images that are learned from

    # epochs of the labelled images, within the bounds of min and max steps
    config.epochs = 30
    config.min_steps = 300  # fewer where --config.epochs asks for fewer
    config.max_steps = 1500
    config.warmup = 0.05  # share of the steps; then a cosine to 0

    # Of the labels, of every class at least one: chooses the setting and the
    # best step. 10-per-class is 8 to learn from and 2 to choose by.
    config.validation = 0.2
    config.choose_by = "auto"  # loss, metric, or auto: below 200 images loss
    config.eval_every = 25  # steps between two looks at that part
    config.patience = 8  # looks without a better one: stop
    config.encode_batch = 512  # images at once, without gradients

    config.size = 0  # pixels of a side; 0: as the encoder was trained
    config.crop_fraction = 1.0  # of centre crops; official ImageNet: 224 / 256

    # Crops and flips of training, the run's own where None; for keypoints
    # only with task.crops.
    config.view = sections.crops()

    config.augment = augment = ml_collections.ConfigDict()  # of keras-cv
    augment.name = "none"  # or randaugment
    augment.magnitude = 0.5  # of randaugment, in [0, 1]
    augment.operations = 2  # of randaugment, on every image
    augment.mixup = 0.0  # alpha; 0: off
    augment.cutmix = 0.0  # alpha; 0: off

    # Options of one task each; None leaves what is said here.
    config.task = task = ml_collections.ConfigDict()
    task.label_smoothing = placeholder(float)  # of classification, [0, 1); 0
    task.class_weights = placeholder(str)  # of it: none, or balanced; none
    task.confidence = placeholder(float)  # of detection, of what is shown; 0.3
    task.pck_alpha = placeholder(float)  # of keypoints: right within; 0.1 sides
    # of keypoints: crop, flip and turn, points move; with heatmaps alone
    task.crops = placeholder(bool)
    task.beam = placeholder(int)  # of transcription: prefixes followed; 1
    task.head = placeholder(str)  # of keypoints: heatmap or vector; heatmap

    # CSV beside the images of a folder; "": labels of the data itself.
    config.labels_file = ""  # in the folder of the training images
    config.test_labels_file = ""  # in that of the test images; "": same name

    config.data = sections.data()
    return config
