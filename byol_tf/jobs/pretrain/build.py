"""Builds a run from a configuration, of which `run.py` reads no field."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence

import keras

from byol_tf.checks import check_choice, check_fields, in_section
from byol_tf.data.examples import Examples
from byol_tf.data.rows import Spec
from byol_tf.distribute.strategy import (
    STRATEGIES,
    is_chief,
    make_distribution,
    several_workers,
)
from byol_tf.evaluation.collapse import milder_views
from byol_tf.evaluation.summary import RIDGE, Protocol
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.jobs.pretrain import length, plan
from byol_tf.jobs.pretrain import methods as objective_builders
from byol_tf.jobs.pretrain.data import data
from byol_tf.jobs.pretrain.run import Pretraining, Settings
from byol_tf.jobs.pretrain.start import starting_encoder
from byol_tf.layers.batch_norm import synchronize
from byol_tf.layers.graph import sharing
from byol_tf.lines import first_line, plural
from byol_tf.locks import owned_folder
from byol_tf.modalities.registry import load_modality
from byol_tf.optim import scaling_rules as recipe
from byol_tf.optim.optimizers import make_optimizer
from byol_tf.optim.schedules import CosineTau, WarmupCosine
from byol_tf.runs.config import config_text, flatten
from byol_tf.runtime import (
    PRECISIONS,
    make_deterministic,
    should_compile,
)

# Upper bounds of sizes; more is a typing error, and exceeds most memories.
MOST = {
    "data.image_size": 4096,
    "data.store_side": 16_384,
    "augment.size": 4096,
    "encoder.input_size": 4096,
    "encoder.blocks": 256,
    "encoder.widths": 8192,
    "heads.hidden_size": 16_384,
    "heads.projection_size": 16_384,
    "heads.projector_layers": 16,
    "heads.predictor_hidden_size": 16_384,
}


def owned(config, workdir, strategy: str | None = None):
    """Returns a context that locks the run folder against other processes.

    Of several workers, only the chief locks it; see `owned_folder`.
    """
    chief = is_chief(strategy or config.strategy)
    return owned_folder(workdir) if chief else contextlib.nullcontext()


def planned(
    config, workdir, strategy: str | None = None, **options
) -> Pretraining:
    """Builds a pretraining run after computing its open fields.

    Args:
        config: open fields are set in place, see `plan.decide`.
        workdir: the run folder.
        strategy: as in `pretraining`.
        **options: as in `pretraining`.
    """

    packed = []

    def build(examples):
        job = pretraining(config, workdir, strategy, examples=examples)
        packed.append((job.train, job.test))  # packed, if they are at all
        return job

    examples = plan.decide(
        *(config, workdir),
        load=lambda: data(config, workdir),
        build=build,
        alone=not several_workers(strategy or config.strategy),
    )
    examples = packed[-1] if packed else examples
    return pretraining(config, workdir, strategy, examples=examples, **options)


def pretraining(
    config,
    workdir,
    strategy: str | None = None,
    stop_after: float | None = None,
    official: Callable | None = None,
    examples: tuple[Examples, Examples] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Pretraining:
    """Builds the pretraining run of a configuration.

    Args:
        config: configuration with the fields of `configs/base.py`.
        workdir: the run folder.
        strategy: devices, in place of those of `config`; a run may continue on
            others.
        stop_after: seconds after which it saves and stops; None: at its end.
        official: reads official weights, see `starting_encoder`.
        examples: training and test examples, if already loaded.
        callbacks: the user's callbacks, called after the monitors.

    Raises:
        ValueError: if a field has an impossible value; names the field.
    """
    check(config)
    distribution = make_distribution(strategy or config.strategy)
    check_replicas(config, distribution.replicas)
    if config.deterministic:
        make_deterministic()
    keras.utils.set_random_seed(config.seed)
    suffix = "" if distribution.is_chief else None
    train, test = examples or data(config, workdir, suffix)
    micro_batch = _micro_batch(config)
    if train.num_examples < micro_batch:
        raise ValueError(
            f"batch_size={config.batch_size} needs at least {micro_batch} "
            f"training examples; {train.name} has {train.num_examples}: add "
            "more, or lower it by --config.batch_size"
        )
    modality = load_modality(config.modality)
    preprocessor = modality.fit(train, config)
    views = modality.views(config, preprocessor)
    (train, test), store_lines = data_builders.store_examples(
        config, workdir, (train, test), views
    )
    in_step = config.augment.place == "step"
    updates = length.updates(config, train.num_examples, micro_batch)
    probe = config.monitor.probe and train.labelled

    def make_encoder(run_config):
        return modality.encoder(run_config, preprocessor, train.row_shape)

    def make_pretrained(run_config):
        return modality.pretrained(
            run_config, preprocessor, train.row_shape, train
        )

    with distribution.strategy.scope():
        model = objective_builders.make_model(
            config,
            starting_encoder(
                config, workdir, make_encoder, official, make_pretrained
            ),
            views if in_step else None,
            tau=_tau(config, updates),
            probe_classes=train.num_classes if probe else 0,
            find_levels=modality.levels,
        )
        if distribution.replicas > 1:
            synchronize(model, config.sync_batch_norm)
        model.compile(optimizer(config, model, updates))
        model.optimizer.build(model.parameters)
        prepare, resized_encoder = _resized_encoder(
            config, modality, train, preprocessor, model
        )
    view_shape = None
    if None in model.encoder.input_shape[1:]:
        view_shape = preprocessor.compute_output_shape(
            (None, *train.row_shape)
        )[1:]
    job = Pretraining(
        model=model,
        train=train,
        test=test,
        modality=modality,
        prepare=prepare,
        settings=_settings(config, _jit_compile(config, distribution.replicas)),
        protocol=_protocol(config),
        view_shape=view_shape,
        resized_encoder=resized_encoder,
        pipeline_views=None if in_step else views,
        config_text=config_text(config),
        title=f"{objective_builders.title(config)} on {train.name}",
        about=describe(config, train.spec, prepare),
        distribution=distribution,
        milder=milder_views(
            flatten(config.to_dict()), modality.milder(config, train.row_shape)
        ),
        notes=[
            *plan.lines(workdir),
            *store_lines,
            *length.notes(config, workdir),
        ],
        stop_after=stop_after,
        observers=callbacks,
    )
    length.check_steps(workdir, model, job.total_steps)
    return job


def _resized_encoder(config, modality, train, preprocessor, model):
    """Returns preprocessor and encoder at the size to evaluate and save."""
    size = config.encoder.input_size
    if not size:
        return preprocessor, None
    if "size" not in preprocessor.get_config():
        raise ValueError(
            f"encoder.input_size={size} is for images, and these are "
            f"{plural(modality.name)}; leave it out"
        )
    prepare = type(preprocessor).from_config(
        {**preprocessor.get_config(), "size": size}
    )
    shape = prepare.compute_output_shape((None, *train.row_shape))
    try:
        return prepare, sharing(model.encoder, shape[1:])
    except ValueError as error:
        raise ValueError(
            f"encoder.input_size={size}: the encoder only takes images of the "
            f"views' size ({first_line(error)}); leave it out"
        ) from error


def describe(config, spec: Spec, preprocessor) -> dict:
    """Returns arguments of `save_encoder` that follow from a configuration.

    Args:
        config: configuration of the run.
        spec: spec of a stored row.
        preprocessor: layer from a batch of rows to inputs of the encoder.
    """
    modality = load_modality(config.modality)
    shape = next(iter(spec.values())).shape
    return {
        "modality": config.modality,
        "spec": spec,
        "sizes": modality.sizes(shape, config, preprocessor),
        "method": objective_builders.title(config),
        "crops": modality.crops(config),
        "config": config.to_dict(),
        "start": config.encoder.weights,
    }


@in_section()
def check(config) -> None:
    """Raises a ValueError that names the field of an impossible value."""
    fields = flatten(config.to_dict())
    text_fields = {"data.mask"}  # names, which its modality checks
    check_fields(
        {k: v for k, v in fields.items() if k not in text_fields}, MOST
    )
    _settings(config)
    with in_section("evaluate"):
        _protocol(config)
    objective_builders.check(config)
    with in_section("optimizer"):
        _peak_and_decay(config.optimizer, config.batch_size)
    with in_section("objective"):
        _tau(config, updates=1)
    check_choice("strategy", config.strategy, STRATEGIES)
    check_choice("precision", config.precision, PRECISIONS)
    data_builders.check(config)
    for field, is_valid, requirement in _relations(config):
        if not is_valid:
            value = fields[field]
            raise ValueError(
                f"{field} must be {requirement}. Received: {value!r}"
            )


def _relations(config):
    """Yields (field, is valid, requirement) that no constructor can check."""
    return (
        ("optimizer.warmup_epochs",
         config.optimizer.warmup_epochs >= 0, "0 or more"),
        ("augment.place", config.augment.place in ("step", "pipeline"),
         "step or pipeline"),
        ("jit_compile", config.jit_compile in ("auto", "yes", "no"),
         "auto, yes or no"),
    )  # fmt: skip


def check_replicas(config, replicas):
    """Refuses settings that this number of devices cannot share."""
    if replicas == 1:
        return
    for field, value, is_valid, requirement in (
        ("batch_size", config.batch_size,
         config.batch_size % replicas == 0, f"a multiple of {replicas}"),
        ("optimizer.accumulate_steps", config.optimizer.accumulate_steps,
         config.optimizer.accumulate_steps == 1, "1"),
        ("jit_compile", config.jit_compile, config.jit_compile != "yes",
         "auto or no"),
    ):  # fmt: skip
        if not is_valid:
            raise ValueError(
                f"{field} must be {requirement} on {replicas} devices. "
                f"Received: {value!r}. Change it, or use strategy=one"
            )


def optimizer(config, model, updates: int):
    """Makes the optimizer with its schedule of `updates` steps."""
    section = config.optimizer
    _, weight_decay = _peak_and_decay(section, config.batch_size)
    with in_section("optimizer"):
        return make_optimizer(
            section.name,
            learning_rate(config, updates),
            weight_decay=weight_decay,
            momentum=section.momentum,
            trust_coefficient=section.trust_coefficient,
            clip_trust_ratio=section.clip_trust_ratio,
            exempt=[v for v in model.trainable_variables if len(v.shape) <= 1],
            accumulate_steps=section.accumulate_steps,
        )


def learning_rate(config, updates: int) -> WarmupCosine:
    """Makes the schedule of the learning rate over `updates` steps."""
    section = config.optimizer
    peak, _ = _peak_and_decay(section, config.batch_size)
    warmup = int(updates * length.warmup_epochs(config) / config.epochs)
    return WarmupCosine(peak, updates, min(warmup, updates - 1))


def _peak_and_decay(section, batch_size):
    return recipe.learning_rate_and_decay(
        section.base_lr, section.weight_decay, batch_size, section.lr_rule
    )


def _tau(config, updates):
    section = config.objective
    tau = recipe.scaled_tau(section.tau, config.batch_size, section.tau_batch)
    if section.tau_schedule == "constant":
        return tau
    return CosineTau(tau, updates)


def _micro_batch(config):
    """Returns images per step: the batch, or its part when accumulating."""
    batch, steps = config.batch_size, config.optimizer.accumulate_steps
    if steps != 1 and (steps < 1 or batch % steps or batch // steps < 2):
        raise ValueError(
            f"optimizer.accumulate_steps must divide batch_size={batch} into "
            f"steps of at least 2 examples. Received: {steps}"
        )
    return batch // steps


def _settings(config, jit_compile=False):
    fields = flatten(config.to_dict())
    values = {name.replace(".", "_"): fields[name] for name in fields}
    values |= {"batch_size": _micro_batch(config), "jit_compile": jit_compile}
    names = [field.name for field in dataclasses.fields(Settings)]
    return Settings(**{name: values[name] for name in names})


def _protocol(config):
    linear = getattr(load_modality(config.modality), "linear", RIDGE)
    return Protocol(**config.evaluate, seed=config.seed, linear=linear)


def _jit_compile(config, replicas):
    choice = {"yes": True, "no": False}.get(config.jit_compile, "auto")
    return replicas == 1 and should_compile(choice)
