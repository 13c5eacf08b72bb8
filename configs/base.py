"""Every field of a pretraining, with its unit; the values are BYOL's.

Optimizer, tau and views are the official ones for 100 epochs; batch size and
encoder are not. The other files here change some of them. Run one with

    byol_tf pretrain runs/quickstart --config=quickstart

and override any field with `--config.<field>=<value>`, for instance
`--config.optimizer.base_lr=0.4`.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Kind of data: image, audio, text, history, or module:object for your own
    # (see byol_tf/modalities/contract.py).
    config.modality = "image"
    config.seed = 0  # of weights, views, data order and label subsets
    config.batch_size = 256  # examples per update, over all devices; >= 2
    # Passes over the training data; 0: as many as fit into `minutes`.
    config.epochs = 100
    config.minutes = 0.0  # length of the training, if epochs is 0
    # float32, mixed_bfloat16, mixed_float16, or auto: bfloat16 where the
    # hardware supports it, else float32.
    config.precision = "float32"
    config.jit_compile = "auto"  # XLA for the whole step: auto, yes, no
    # one (device), mirrored (all GPUs of this machine), multi_worker (the
    # processes of TF_CONFIG), tpu, or auto: whichever of them is available.
    config.strategy = "auto"
    config.sync_batch_norm = True  # share batch statistics across devices
    config.deterministic = False  # use only ops that repeat bit for bit
    config.log_every = 50  # steps between two lines of metrics.jsonl
    config.save_encoder_every = 0  # epochs, into encoders/; 0: only at the end
    # Peak of all devices together, in TFLOP/s; 0: do not report mfu.
    config.peak_tflops = 0.0

    config.data = data = ml_collections.ConfigDict()
    # embedded (in the package), tfds, folder, arrays (.npz), tfrecord, or
    # listed (the images that files of boxes or points name).
    data.source = "embedded"
    data.name = "fashion_mnist"  # dataset name, for embedded and tfds
    # Folder (tfds, folder, tfrecord), .npz file (arrays) or CSV file of labels.
    data.dir = ""
    # Audio: cut longer recordings into rows of this length, in training and
    # when predicting and embedding; 0: do not cut.
    data.window_seconds = 0.0
    data.features = "image,label"  # tfrecord: names of the input and the label
    data.train_split = "train"  # name of the split to train on
    data.test_split = "test"  # "": hold out a tenth of the training data
    data.image_size = 0  # side in pixels that images are stored with; 0: own
    # 1, 3, or the number in the files; 0: as they are, but 3 for gray files.
    data.channels = 0
    # 16-bit and float images: values shown as black and white. LOW,HIGH;
    # auto: 0 to 2**bits - 1, for the number of bits in use; full: the whole
    # range of the type.
    data.window = "auto"
    # Folders: table (labels.csv with columns path, label, split), splits,
    # classes, flat, or auto: table if labels.csv exists.
    data.layout = "auto"
    data.label_column = ""  # of labels.csv; "": label
    data.text_column = ""  # tables of texts: column of the texts; "": text
    # Tables of texts: column of a second text, such as an answer, to be used
    # as the other view; "": none.
    data.pair_column = ""
    data.mask = ()  # in texts, mask emails, phones, numbers before training
    data.labels = "auto"  # auto: use labels if present; required; ignore
    # How images of mixed sizes are kept during training: files (decode each
    # time), pixels (decode once, shorter side `store_side`), shards (large
    # sequential files in `cache_dir`, big images downscaled), or auto: pixels
    # if they fit into `cache_gb`, else files.
    data.store = "auto"
    # Shorter side in pixels; 0: so that the smallest crop has the view's size.
    data.store_side = 0
    data.cache = "auto"  # memory, disk, or auto: memory up to cache_gb
    data.cache_gb = 4.0  # GB of decoded data to keep in memory
    data.cache_dir = ""  # for the disk cache; "": in the run folder
    data.max_megapixels = 100.0  # larger files are not decoded; at most 178
    # Stop if a larger share of a split cannot be read. More than one bad file
    # in ten usually means a wrong folder, an unfinished copy or an unsupported
    # format.
    data.max_bad_share = 0.1

    config.augment = augment = ml_collections.ConfigDict()
    # photos, products, microscopy, gray (configs/presets.py), on the command
    # line only: sets the fields below that you do not give. "": none.
    augment.preset = ""
    augment.place = "step"  # make views in the training step, or in `pipeline`
    augment.size = 0  # side of a view in pixels; 0: that of the images
    augment.area = (0.08, 1.0)  # range of the crop's share of the image
    augment.aspect = (3 / 4, 4 / 3)  # range of the crop's width / height
    augment.resize = "bicubic"  # or bilinear
    augment.flip = 0.5  # probability
    augment.jitter = 0.8  # probability of the colour jitter
    augment.brightness = 0.4  # added at most, for pixels in [0, 1]
    augment.contrast = 0.4
    augment.saturation = 0.2
    augment.hue = 0.1  # in turns of the colour circle
    augment.grayscale = 0.2  # probability
    augment.blur = (1.0, 0.1)  # probability for view 1, view 2
    augment.blur_sigma = (0.1, 2.0)  # pixels
    augment.solarize = (0.0, 0.2)  # probability for view 1, view 2
    augment.rotate = 0.0  # largest angle in degrees; 0: off
    augment.turn = 0.0  # probability of a turn by 0, 90, 180 or 270 degrees
    augment.flip_vertical = 0.0  # probability

    # For modality=audio: reading, log-mel spectrogram and views. The values
    # are those of BYOL-A.
    config.audio = audio = ml_collections.ConfigDict()
    audio.rate = 16000  # sampling rate in Hz; sounds are resampled to it
    audio.channel = -1  # channel to use, counted from 0; -1: mean of all
    audio.max_seconds = 60.0  # longer files are not decoded
    # Cut pauses that are 30 dB below the loud parts, in training and from files
    # that are predicted, embedded or served, but not transcribed.
    audio.skip_silence = False
    audio.seconds = 0.96  # input length; longer sounds are cut to the middle
    audio.window = 1024  # samples per frame, a power of two
    audio.hop = 160  # samples between two frames
    audio.bands = 64  # mel bands
    audio.low = 60.0  # Hz, lower end of the bands
    audio.high = 7800.0  # Hz, upper end; 0: half the rate
    audio.mixup = 0.2  # largest share of another sound that is mixed in
    audio.time_crop = (0.6, 1.5)  # range of a crop's length, relative
    audio.band_crop = (0.6, 1.5)  # range of a crop's height, clipped at 1
    audio.canvas = 1.5  # length of the canvas, silent at both ends, relative
    audio.fader = 1.0  # largest change of level at either end
    audio.normalize = True  # to mean 0, deviation 1 over both views of a batch

    # For modality=text: tokens and views.
    config.text = text = ml_collections.ConfigDict()
    # Largest number of known words, character trigrams and word pairs.
    text.vocabulary = 8192
    text.words = 0  # words read per text; 0: enough for nearly all, <= 256
    text.drop = 0.5  # probability to drop a word from a view
    # Smallest share of the words, one after another, that a view keeps; 1: off.
    text.span = 1.0
    text.swap = 0.0  # probability to swap a word with the next one

    # For modality=history: reading and views.
    config.history = history = ml_collections.ConfigDict()
    history.length = 128  # newest items read per history
    history.most_items = 20000  # known items, the most frequent ones
    history.half_life = 0.0  # days until an event counts half; 0: no decay
    history.held_out = 0.2  # share of the events, the newest, not trained on
    history.keep = 0.5  # share of the items that a view keeps
    history.window = 0.2  # probability to keep items that are adjacent in time

    config.encoder = encoder = ml_collections.ConfigDict()
    # Images: resnet18, resnet34, resnet50, resnet200, resnet20, slim, or auto:
    # by the machine; efficientnet_lite0, which uses only `mean` and `std`;
    # applications/<name> (keras.applications) and keras_cv/<name>, which use
    # none of the fields below. Sounds: byol_a, sound_base, sound_small, with
    # `widths`. Texts: bag, text_small, text_base, with one width; keras_hub.
    encoder.name = "resnet18"
    encoder.blocks = ()  # blocks per stage; (): the default of `name`
    encoder.widths = ()  # channels per stage; (): the default of `name`
    encoder.stem = "small"  # small (3x3), strided (3x3/2), imagenet (7x7/2)
    encoder.mean = ()  # of pixels in [0, 1], per channel; (): 0.5
    encoder.std = ()  # standard deviation, per channel; (): 0.25
    # Side in pixels of the images that the encoder is evaluated on and saved
    # for; 0: that of the views. Crops show objects larger than whole images do,
    # so somewhat more than the views is better (Touvron et al. 2019).
    encoder.input_size = 0
    # Initial weights. imagenet: for efficientnet_lite0 (installed as a package,
    # no download), which `auto` then is, or applications/<name> (downloaded by
    # Keras). A .keras file, run folder, checkpoint folder or official
    # checkpoint: its encoder replaces the fields above. lsa: for bag, the main
    # directions of the TF-IDF vectors of the training texts. For keras_hub, the
    # folder of a preset, with its backbone and tokenizer. "": random.
    encoder.weights = ""
    # Layers to freeze, by name or prefix: stem,stage1. batch_norms: keep the
    # batch statistics of encoder.weights.
    encoder.freeze = ""

    config.heads = heads = ml_collections.ConfigDict()
    # In each field 0 means the default of the method (byol_tf/methods); for
    # byol these are 4096, 256, 2 and 4096. Projector: width of hidden layers.
    heads.hidden_size = 0
    heads.projection_size = 0  # output width of the projector
    heads.projector_layers = 0  # linear layers
    heads.predictor_hidden_size = 0  # for byol, moco_v3, simsiam

    config.objective = objective = ml_collections.ConfigDict()
    # byol, dense_byol, moco_v3, simsiam, simclr, triplet, barlow_twins, vicreg;
    # each uses the fields below that name it.
    objective.name = "byol"
    # byol, moco_v3: decay of the target network at step 0. With tau_schedule
    # constant, tau=0 copies the online network and tau=1 keeps a random target.
    objective.tau = 0.99
    # Batch size that tau is given for. Another batch size uses
    # tau ** (batch_size / tau_batch), so that the target averages over as many
    # examples. 0: use tau as it is.
    objective.tau_batch = 0
    objective.tau_schedule = "cosine"  # rises to 1; or constant
    objective.target_init = "independent"  # as the official code; or copy
    # byol: batch norm at the end of the projector; moco_v3 and simsiam always
    # have it. Not in BYOL's paper, but short runs learn sooner.
    objective.normalize_projection = False
    objective.predictor = True  # byol, moco_v3, simsiam; False: an ablation
    # byol, moco_v3, simsiam: factor on the predictor's learning rate. Short
    # runs of BYOL learn sooner with 10.
    objective.predictor_lr_multiplier = 1.0
    # dense_byol, for detection, keypoints and transcription: adds BYOL's loss
    # at the positions of this feature level that both views show; needs images
    # of one size. For sounds: frames.
    objective.level = "P3"
    objective.dense_weight = 0.5  # dense_byol: weight of that loss
    objective.temperature = 0.2  # simclr, moco_v3: divides the cosines
    objective.margin = 0.2  # triplet: of squared distances; FaceNet, sec. 3.3
    objective.off_diagonal_weight = 0.005  # barlow_twins: paper, section 2
    objective.loss_scale = 0.024  # barlow_twins: official code
    objective.invariance = 25.0  # vicreg: paper, section 4.2
    objective.variance = 25.0  # vicreg: the same
    objective.covariance = 1.0  # vicreg: the same

    config.optimizer = optimizer = ml_collections.ConfigDict()
    optimizer.name = "lars"  # lars, sgd, adamw
    # How the rate follows the batch size: linear or sqrt, from a batch of 256;
    # none: it does not.
    optimizer.lr_rule = "linear"
    optimizer.base_lr = 0.45
    optimizer.weight_decay = 1e-6  # for a batch of 256, if lr_rule is sqrt
    optimizer.momentum = 0.9  # lars, sgd
    optimizer.trust_coefficient = 1e-3  # lars
    optimizer.clip_trust_ratio = False  # lars: never step further than sgd
    optimizer.warmup_epochs = 10.0  # the rate rises from 0, then falls to 0
    # Gradient-accumulation steps per update; must divide batch_size.
    optimizer.accumulate_steps = 1

    config.monitor = monitor = ml_collections.ConfigDict()
    monitor.every_epochs = 1  # epochs between kNN and collapse statistics
    monitor.knn = True  # if there are labels
    monitor.probe = True  # train a linear probe along, if there are labels
    # Held-out examples to measure; kNN votes among 4 times as many.
    monitor.samples = 1000
    monitor.stop_on_collapse = False  # stop when the encoder collapses, or NaN

    config.checkpoint = checkpoint = ml_collections.ConfigDict()
    checkpoint.every_seconds = 120.0  # between two checkpoints
    checkpoint.keep = 2  # newest checkpoints kept

    config.faults = faults = ml_collections.ConfigDict()
    # When a loss or gradient is NaN or infinite, the weights are not updated;
    # then skip (continue) or stop.
    faults.action = "skip"
    faults.in_a_row = 50  # consecutive such steps that always stop the run

    config.evaluate = evaluate = ml_collections.ConfigDict()
    evaluate.knn_k = 20  # neighbours that vote
    evaluate.knn_temperature = 0.07
    evaluate.knn_bank = 5000  # labelled training examples to vote
    evaluate.shots = 10  # labels per class, for the few-shot accuracy
    evaluate.draws = 5  # random choices of those labels
    evaluate.max_train = 50000  # largest number of labelled training examples
    return config
