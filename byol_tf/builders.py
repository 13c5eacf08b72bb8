"""From a configuration to the pieces: the only module that knows its fields."""

import pathlib
from collections.abc import Callable

from byol_tf.augment.views import CentreView, TwoViews
from byol_tf.data import sources
from byol_tf.data.pipeline import steps_per_epoch
from byol_tf.evaluation.summary import Protocol
from byol_tf.models import adapters
from byol_tf.models.byol import BYOL
from byol_tf.models.resnet import make_resnet
from byol_tf.optimizers import make_optimizer
from byol_tf.pretraining import Pretraining, Settings
from byol_tf.run_config import config_text
from byol_tf.runtime import check_precision, set_seed, should_compile
from byol_tf.schedules import CosineTau, WarmupCosine, scaled_learning_rate

OBJECTIVES = ("byol",)
HOLDOUT = 0.1  # of the training images where there is no test split


def pretraining(config, workdir) -> Pretraining:
    """A pretraining run as configured.

    Raises:
        ValueError: naming the field, if one has an impossible value.
    """
    check(config)
    set_seed(config.seed)
    train, test = data(config, workdir)
    micro_batch = config.batch_size // config.optimizer.accumulate_steps
    if train.num_examples < micro_batch:
        raise ValueError(
            f"batch_size={config.batch_size} needs at least {micro_batch} "
            f"training images; {train.name} has {train.num_examples}"
        )
    size, channels = _view_size(config, train), train.image_shape[-1]
    views = two_views(config, size)
    encoder = make_encoder(config, (size, size, channels))
    in_step = config.augment.place == "step"
    updates = (
        config.epochs
        * steps_per_epoch(train.num_examples, micro_batch)
        // config.optimizer.accumulate_steps
    )
    probe = config.monitor.probe and train.labelled
    model = BYOL(
        encoder,
        views if in_step else None,
        hidden_size=config.heads.hidden_size,
        projection_size=config.heads.projection_size,
        tau=_tau(config, updates),
        probe_classes=train.num_classes if probe else 0,
        target_init=config.objective.target_init,
        seed=config.seed,
        dtype=config.precision,
    )
    model.compile(optimizer(config, model, updates))
    model.optimizer.build(model.trainable_variables)
    return Pretraining(
        model=model,
        train=train,
        test=test,
        prepare=CentreView(size),
        settings=_settings(config, micro_batch),
        protocol=_protocol(config),
        pipeline_views=None if in_step else views,
        config_text=config_text(config),
        title=f"BYOL on {train.name}",
    )


def check(config) -> None:
    """Raises a ValueError that names the field of an impossible value."""
    tests = (
        ("batch_size", config.batch_size >= 2, "at least 2, since batch "
         "normalisation compares the images of a batch"),
        ("epochs", config.epochs >= 1, "at least 1"),
        ("seed", config.seed >= 0, "0 or more"),
        ("log_every", config.log_every >= 1, "at least 1 step"),
        ("heads.hidden_size", config.heads.hidden_size >= 1, "at least 1"),
        ("heads.projection_size", config.heads.projection_size >= 1,
         "at least 1"),
        ("objective.name", config.objective.name in OBJECTIVES,
         f"one of {', '.join(OBJECTIVES)}"),
        ("objective.tau", 0 <= config.objective.tau <= 1, "in [0, 1]"),
        ("objective.tau_schedule",
         config.objective.tau_schedule in ("cosine", "constant"),
         "cosine or constant"),
        ("optimizer.base_lr", config.optimizer.base_lr > 0, "positive"),
        ("optimizer.weight_decay", config.optimizer.weight_decay >= 0,
         "0 or more"),
        ("optimizer.warmup_epochs",
         0 <= config.optimizer.warmup_epochs < config.epochs,
         f"0 or more and below epochs={config.epochs}"),
        ("optimizer.accumulate_steps",
         config.optimizer.accumulate_steps >= 1
         and config.batch_size % config.optimizer.accumulate_steps == 0
         and config.batch_size // config.optimizer.accumulate_steps >= 2,
         f"a divisor of batch_size={config.batch_size} that leaves 2 images "
         "or more a step"),
        ("augment.place", config.augment.place in ("step", "pipeline"),
         "step or pipeline"),
        ("data.labels",
         config.data.labels in ("auto", "required", "ignore"),
         "auto, required or ignore"),
        ("monitor.every_epochs", config.monitor.every_epochs >= 1,
         "at least 1"),
        ("monitor.samples", config.monitor.samples >= 2, "at least 2"),
        ("checkpoint.every_seconds", config.checkpoint.every_seconds > 0,
         "positive"),
        ("checkpoint.keep", config.checkpoint.keep >= 1, "at least 1"),
        ("evaluate.knn_k", config.evaluate.knn_k >= 1, "at least 1"),
        ("evaluate.knn_temperature", config.evaluate.knn_temperature > 0,
         "positive"),
        ("evaluate.knn_bank", config.evaluate.knn_bank >= 1, "at least 1"),
        ("evaluate.shots", config.evaluate.shots >= 1, "at least 1"),
        ("evaluate.draws", config.evaluate.draws >= 2, "at least 2"),
        ("evaluate.max_train", config.evaluate.max_train >= 2, "at least 2"),
        ("jit_compile", config.jit_compile in ("auto", "yes", "no"),
         "auto, yes or no"),
    )  # fmt: skip
    for field, fine, rule in tests:
        if not fine:
            value = config
            for part in field.split("."):
                value = value[part]
            raise ValueError(f"{field} must be {rule}. Received: {value!r}")
    check_precision(config.precision)


def data(config, workdir) -> tuple[sources.Images, sources.Images]:
    """Training and test images; a tenth is held out if there is no test."""
    train, load_test = train_and_later_test(config, workdir)
    test = load_test()
    if test.num_examples < 2:
        raise ValueError(
            f"{test.name} must have at least 2 images to judge by. "
            f"Received: {test.num_examples}"
        )
    return train, test


def train_and_later_test(
    config, workdir, same_classes: bool = True
) -> tuple[sources.Images, Callable[[], sources.Images]]:
    """Training images, and a function that loads the test images.

    Args:
        config: of a run.
        workdir: the run folder.
        same_classes: whether other classes among the test images are an
            error; without it the labels must be compared by name.
    """
    section = config.data
    cache_dir = section.cache_dir or str(pathlib.Path(workdir) / "cache")

    def load(split):
        return sources.load(
            section.source,
            name=section.name,
            split=split,
            directory=section.dir,
            image_size=section.image_size or None,
            channels=section.channels or None,
            labels=section.labels,
            cache=section.cache,
            cache_bytes=int(section.cache_gb * 2**30),
            cache_dir=cache_dir,
        )

    def load_test():
        test = load(section.test_split)
        if same_classes and train.labelled and test.labelled:
            _check_classes(train, test)
        return test

    train = load(section.train_split)
    if section.test_split:
        return train, load_test
    train, test = sources.split_holdout(train, HOLDOUT, config.seed)
    return train, lambda: test


def _check_classes(train, test):
    if train.class_names != test.class_names:
        differing = set(train.class_names) ^ set(test.class_names)
        raise ValueError(
            f"{train.name} and {test.name} must have the same classes; only "
            f"one of them has {', '.join(sorted(differing)) or 'this order'}"
        )


def two_views(config, size: int) -> TwoViews:
    """The augmentation."""
    section = config.augment.to_dict()
    section.pop("place")
    section["size"] = size
    pairs = {key: section.pop(key) for key in ("blur", "solarize")}
    for key, value in pairs.items():
        if len(value) != 2:
            raise ValueError(
                f"augment.{key} must have one probability for each view. "
                f"Received: {value!r}"
            )
    return TwoViews.byol(**section, **pairs)


def make_encoder(config, input_shape: tuple):
    """The encoder by name."""
    section, name = config.encoder, config.encoder.name
    if "/" in name:
        return adapters.make_encoder(name, input_shape, dtype=config.precision)
    overrides = {
        key: section[key]
        for key in ("blocks", "widths", "mean", "std")
        if section[key]
    }
    return make_resnet(
        name,
        input_shape,
        stem=section.stem,
        dtype=config.precision,
        **overrides,
    )


def optimizer(config, model, updates: int):
    """The optimizer with its schedule, for so many updates in all."""
    section = config.optimizer
    peak = scaled_learning_rate(section.base_lr, config.batch_size)
    warmup = int(updates * section.warmup_epochs / config.epochs)
    return make_optimizer(
        section.name,
        WarmupCosine(peak, updates, min(warmup, updates - 1)),
        weight_decay=section.weight_decay,
        momentum=section.momentum,
        trust_coefficient=section.trust_coefficient,
        clip_trust_ratio=section.clip_trust_ratio,
        exempt=[v for v in model.trainable_variables if len(v.shape) <= 1],
        accumulate_steps=section.accumulate_steps,
    )


def _tau(config, updates):
    section = config.objective
    if section.tau_schedule == "constant":
        return section.tau
    return CosineTau(section.tau, updates)


def _view_size(config, images):
    if config.augment.size:
        return config.augment.size
    height, width, _ = images.image_shape
    if height != width:
        raise ValueError(
            f"augment.size is needed, since the images of {images.name} are "
            f"not square ({height}x{width})"
        )
    return height


def _settings(config, micro_batch):
    return Settings(
        batch_size=micro_batch,
        epochs=config.epochs,
        seed=config.seed,
        log_every=config.log_every,
        monitor_every=config.monitor.every_epochs,
        monitor_knn=config.monitor.knn,
        monitor_samples=config.monitor.samples,
        stop_on_collapse=config.monitor.stop_on_collapse,
        checkpoint_seconds=config.checkpoint.every_seconds,
        checkpoint_keep=config.checkpoint.keep,
        jit_compile=should_compile(
            {"yes": True, "no": False}.get(config.jit_compile, "auto")
        ),
    )


def _protocol(config):
    section = config.evaluate
    return Protocol(
        knn_k=section.knn_k,
        knn_temperature=section.knn_temperature,
        knn_bank=section.knn_bank,
        shots=section.shots,
        draws=section.draws,
        max_train=section.max_train,
        seed=config.seed,
    )
