"""Every field of a run, with unit and source; BYOL's 100-epoch values.

The other files here change some of these. Run one with

    byol_tf pretrain runs/quickstart --config=quickstart

and override any field with `--config.<field>=<value>`, for instance
`--config.optimizer.base_lr=0.4`.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # What the data are: image, audio, text, history, or module:object for a
    # kind of your own, see byol_tf/modalities/contract.py.
    config.modality = "image"
    config.seed = 0  # weights, views, data order, label subsets
    config.batch_size = 256  # images of one update; at least 2
    config.epochs = 100  # passes over the training images; 0: by minutes
    config.minutes = 0.0  # of training, decides epochs=0 before a run begins
    # float32, mixed_bfloat16, mixed_float16, or auto: bfloat16 where the
    # machine has hardware for it, else float32.
    config.precision = "float32"
    config.jit_compile = "auto"  # XLA for the whole step: auto, yes, no
    # auto: what is there, of one (device), mirrored (all GPUs of a machine),
    # multi_worker (the processes in TF_CONFIG) and tpu; batch_size is that of
    # all devices together.
    config.strategy = "auto"
    config.sync_batch_norm = True  # statistics of all devices together
    config.deterministic = False  # only operations that repeat bit for bit
    config.log_every = 50  # steps between two lines of metrics.jsonl
    config.save_encoder_every = 0  # epochs, into encoders/; 0: at the end only
    config.peak_tflops = 0.0  # of the devices together; 0: no mfu is shown

    config.data = data = ml_collections.ConfigDict()
    # embedded, tfds, folder, arrays, tfrecord, listed
    data.source = "embedded"
    data.name = "fashion_mnist"  # data set of embedded and tfds
    # Folder of tfds, folder, tfrecord; file of arrays; or a CSV file of labels.
    data.dir = ""
    # of sounds: longer recordings are cut into rows of so many; 0: not cut
    data.window_seconds = 0.0
    data.features = "image,label"  # of tfrecord: of the row, and of the label
    data.train_split = "train"
    data.test_split = "test"  # "" holds out a tenth of the training images
    data.image_size = 0  # pixels of a side as stored; 0: as they are
    data.channels = 0  # 1, 3, or what files have; 0: as they are
    # Of images of 16 bits or floats: the values that are black and white.
    # auto: 0 to 2**bits - 1, of as many bits as are used; full: the whole
    # range; or LOW,HIGH.
    data.window = "auto"
    # Of a folder: table (its labels.csv, with columns path, label and split),
    # splits, classes, flat; auto: the table if it is there.
    data.layout = "auto"
    data.label_column = ""  # of labels.csv; "": label
    # Of texts in tables: the column of the texts ("": text), that of texts
    # which belong to them, such as answers, for views ("": none), and what is
    # masked before anything is learned: emails, phones, numbers.
    data.text_column = ""
    data.pair_column = ""
    data.mask = ()
    data.labels = "auto"  # auto: used where there; required; ignore
    # How images of several sizes are kept for training: files; pixels, decoded
    # once, with shorter sides of `store_side`; shards, files one after another
    # on the disk of `cache_dir`, larger ones made smaller; auto: pixels if
    # they take at most cache_gb, else files.
    data.store = "auto"
    data.store_side = 0  # pixels; 0: the smallest crop is as large as a view
    data.cache = "auto"  # memory, disk, or auto: memory up to cache_gb
    data.cache_gb = 4.0
    data.cache_dir = ""  # of the disk cache; "": in the run folder
    data.max_megapixels = 100.0  # larger files are not decoded; at most 178
    # Of a split: share of images that cannot be read, above which nothing is
    # trained. Damage spoils single files; where more than every tenth is bad,
    # it is the wrong folder, a copy that did not finish, or a format.
    data.max_bad_share = 0.1

    config.augment = augment = ml_collections.ConfigDict()
    # photos, products, microscopy, gray (configs/presets.py): on the command
    # line it sets fields below that are not given there. "": as they say.
    augment.preset = ""
    augment.place = "step"  # step: inside the training step; or pipeline
    augment.size = 0  # pixels of a view's side; 0: as the images
    augment.area = (0.08, 1.0)  # of the crop, share of the image
    augment.aspect = (3 / 4, 4 / 3)  # of the crop, width by height
    augment.resize = "bicubic"  # or bilinear
    augment.flip = 0.5  # probability
    augment.jitter = 0.8  # probability of the colour jitter
    augment.brightness = 0.4  # additive, of the range 1
    augment.contrast = 0.4
    augment.saturation = 0.2
    augment.hue = 0.1  # turns
    augment.grayscale = 0.2  # probability
    augment.blur = (1.0, 0.1)  # probability for view 1, view 2
    augment.blur_sigma = (0.1, 2.0)  # pixels
    augment.solarize = (0.0, 0.2)  # probability for view 1, view 2
    augment.rotate = 0.0  # degrees at most; 0: off
    augment.turn = 0.0  # probability of a turn by 0, 90, 180 or 270 degrees
    augment.flip_vertical = 0.0  # probability

    # Of modality=audio: how sounds are read, prepared and changed. The values
    # are those of BYOL-A.
    config.audio = audio = ml_collections.ConfigDict()
    audio.rate = 16000  # samples a second that sounds are brought to
    audio.channel = -1  # that is taken, from 0; -1: the mean of all
    audio.max_seconds = 60.0  # longer files are not decoded
    # Of training: take out pauses, 30 dB below what is loud.
    audio.skip_silence = False
    audio.seconds = 0.96  # that the encoder hears: the middle of a longer sound
    audio.window = 1024  # samples of a frame, a power of two
    audio.hop = 160  # samples from one frame to the next
    audio.bands = 64  # of the mel scale
    audio.low = 60.0  # Hz, where the bands begin
    audio.high = 7800.0  # Hz, where they end; 0: half the rate
    audio.mixup = 0.2  # largest share of another sound of the batch
    audio.time_crop = (0.6, 1.5)  # range of a crop's length
    audio.band_crop = (0.6, 1.5)  # range of a crop's height, cut at 1
    audio.canvas = 1.5  # length of what is cropped from, silence around
    audio.fader = 1.0  # largest change of level at either end
    audio.normalize = True  # over both views of a batch

    # Of modality=text: what is read of texts, and how views differ.
    config.text = text = ml_collections.ConfigDict()
    # Words, their trigrams and pairs of neighbours that are known, at most.
    text.vocabulary = 8192
    text.words = 0  # that are read of a text; 0: enough for nearly all, <= 256
    text.drop = 0.5  # probability of a word to be left out of a view
    text.span = 1.0  # least share of the words, neighbours, in a view; 1: off
    text.swap = 0.0  # probability of a word to change places with the next

    # Of modality=history: how histories are read and changed.
    config.history = history = ml_collections.ConfigDict()
    history.length = 128  # items of a history, the newest
    history.most_items = 20000  # that are known, the most frequent
    history.half_life = 0.0  # days after which an event counts half; 0: never
    history.held_out = 0.2  # share of a shop's events that is not trained on
    history.keep = 0.5  # share of the items that a view keeps
    history.window = 0.2  # probability that those are neighbours in time

    config.encoder = encoder = ml_collections.ConfigDict()
    # Of texts: bag, text_small or text_base, with one width. Of sounds: byol_a,
    # sound_base or sound_small, with widths. Of images:
    # resnet18, resnet34, resnet50, resnet200, resnet20, slim; auto: by the
    # machine; efficientnet_lite0, which takes mean and std alone; and those
    # that take none of the fields below, applications/<name> of
    # keras.applications and keras_cv/<name>.
    encoder.name = "resnet18"
    encoder.blocks = ()  # blocks of each stage; (): the name's own
    encoder.widths = ()  # channels of each stage; (): the name's own
    encoder.stem = "small"  # small (3x3), strided (3x3/2), imagenet (7x7/2)
    encoder.mean = ()  # of pixels in [0, 1], by channel; (): 0.5
    encoder.std = ()  # their deviation, by channel; (): 0.25
    # Pixels of a side of the images that the encoder is judged on and saved
    # for; 0: as the views. Crops show things larger than whole images do
    # (Touvron et al. 2019), so that somewhat more than the views is better.
    encoder.input_size = 0
    # Weights to start from: imagenet, of efficientnet_lite0 (a package, nothing
    # is downloaded) or applications/<name> (which Keras downloads); or a .keras
    # file, run folder, checkpoint folder or official checkpoint, and then it is
    # that encoder, whatever the fields above. "": random.
    encoder.weights = ""
    # Layers, or beginnings of their names: stem,stage1; batch_norms: those keep
    # the statistics of encoder.weights.
    encoder.freeze = ""

    config.heads = heads = ml_collections.ConfigDict()
    # 0: the method's own, in byol_tf/models; for byol 4096, 256, 2 and 4096.
    heads.hidden_size = 0  # of the projector
    heads.projection_size = 0
    heads.projector_layers = 0  # linear layers
    heads.predictor_hidden_size = 0  # of byol, moco_v3, simsiam

    config.objective = objective = ml_collections.ConfigDict()
    # byol, dense_byol, moco_v3, simsiam, simclr, triplet, barlow_twins, vicreg;
    # each takes those of the fields below that name it.
    objective.name = "byol"
    # Of byol and moco_v3, which have a target network. tau 0, constant: no
    # average; tau 1, constant: a random target.
    objective.tau = 0.99  # decay of the target at step 0
    # Batch size for which tau holds; others get tau ** (batch / this), as
    # many images in the target's average. 0: tau as it is.
    objective.tau_batch = 0
    objective.tau_schedule = "cosine"  # rising to 1; or constant
    objective.target_init = "independent"  # as the official code; or copy
    # Of byol: a batch norm at the end of the projector, which moco_v3 and
    # simsiam always have. Not in its paper; short runs learn sooner with it.
    objective.normalize_projection = False
    objective.predictor = True  # of byol, moco_v3, simsiam; False: an ablation
    # Of the same three: the predictor's learning rate, as a multiple of the
    # others'. Short runs of BYOL learn sooner with 10.
    objective.predictor_lr_multiplier = 1.0
    # Of dense_byol, for detection and keypoints: BYOL, and its loss on the
    # positions of a level that lie in both views; images of one size alone.
    objective.level = "P3"
    objective.dense_weight = 0.5  # of the loss of positions
    objective.temperature = 0.2  # of simclr, moco_v3: divides the cosines
    objective.margin = 0.2  # of triplet: squared distance; FaceNet, section 3.3
    objective.off_diagonal_weight = 0.005  # of barlow_twins; its section 2
    objective.loss_scale = 0.024  # of barlow_twins; its official code
    objective.invariance = 25.0  # of vicreg; its section 4.2, as the next two
    objective.variance = 25.0
    objective.covariance = 1.0

    config.optimizer = optimizer = ml_collections.ConfigDict()
    optimizer.name = "lars"  # lars, sgd, adamw
    optimizer.base_lr = 0.45  # for a batch of 256; scaled by lr_rule
    optimizer.lr_rule = "linear"  # of the batch size; sqrt suits adamw
    optimizer.weight_decay = 1e-6
    optimizer.momentum = 0.9  # of lars and sgd
    optimizer.trust_coefficient = 1e-3  # of lars
    optimizer.clip_trust_ratio = False  # of lars: no step above momentum's
    optimizer.warmup_epochs = 10.0
    optimizer.accumulate_steps = 1  # batches of batch_size / this, summed up

    config.monitor = monitor = ml_collections.ConfigDict()
    monitor.every_epochs = 1  # kNN and collapse statistics
    monitor.knn = True  # where there are labels
    monitor.probe = True  # online linear probe, where there are labels
    monitor.samples = 1000  # held-out images measured; the bank is 4 times
    monitor.stop_on_collapse = False  # also on NaN

    config.checkpoint = checkpoint = ml_collections.ConfigDict()
    checkpoint.every_seconds = 120.0
    checkpoint.keep = 2

    config.faults = faults = ml_collections.ConfigDict()
    # After a step whose loss or gradients are NaN or infinite, which makes no
    # update: skip (go on) or stop.
    faults.action = "skip"
    faults.in_a_row = 50  # such steps that end the run, whatever the action

    config.evaluate = evaluate = ml_collections.ConfigDict()
    evaluate.knn_k = 20
    evaluate.knn_temperature = 0.07
    evaluate.knn_bank = 5000  # labelled training images
    evaluate.shots = 10  # labels per class
    evaluate.draws = 5  # of those labels
    evaluate.max_train = 50000  # labelled training images used at all
    return config
