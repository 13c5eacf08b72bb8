"""Fine-tuning on parts of the labels, with two baselines.

For every part and seed it trains the pretrained encoder with all weights, the
same one frozen, and one with random weights, on the same images with the same
budget. Settings and the best step are chosen on a share of the same labels. The
test images are loaded only after everything is fitted.
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.data.fractions import Fraction
from byol_tf.data.rows import bare, batch_spec
from byol_tf.data.split import draw_part
from byol_tf.files import write_json
from byol_tf.jobs.finetune import pictures
from byol_tf.jobs.finetune import results as finetune_results
from byol_tf.jobs.finetune.fit import Choice, Targets, best_setting, fit
from byol_tf.jobs.finetune.kept import FOLDER, TrainingStore
from byol_tf.jobs.finetune.progress import Progress
from byol_tf.jobs.finetune.settings import (
    FINE_TUNED,
    FROZEN,
    ORIGINAL,
    SCRATCH,
    Settings,
)
from byol_tf.jobs.finetune.trainer import FineTuner, Weights
from byol_tf.modalities.contract import Augment
from byol_tf.modalities.levels import flat
from byol_tf.runs.encoder import Encoder
from byol_tf.runs.samples import save_test_rows
from byol_tf.runtime import describe_machine
from byol_tf.tasks import registry
from byol_tf.tasks.task import VECTOR, Labelled, Task


@dataclasses.dataclass
class FineTuning:
    """A fine-tuning that is ready to run.

    Attributes:
        encoder: the pretrained encoder; not changed.
        task: the task.
        train: training images; those without labels are left out.
        load_test: loads the test images; called once, at the end.
        fractions: parts of the labels, see `parse_fractions`.
        settings: numbers.
        draw: random views of a step, see `FineTuner`; None: none.
        augment: further augmentation, or None.
        original: the encoder with the weights that its run began with, for the
            variant "as it came"; None if it began with random ones.
        task_of: makes the task again, for class weights from the images trained
            on; None: keep `task`.
        about: JSON values written with the result.
        skips: whether to leave out fractions that are too small, as some of the
            default ones may be.

    Raises:
        ValueError: if a part of the labels leaves a class empty or nothing to
            choose by, or `augment` cannot mix the targets.
    """

    encoder: Encoder
    task: Task
    train: Labelled
    load_test: Callable[[], Labelled]
    fractions: Sequence[Fraction]
    settings: Settings
    draw: Callable | None = None
    augment: Augment | None = None
    original: Encoder | None = None
    task_of: Callable[[Labelled], Task] | None = None
    about: Mapping = dataclasses.field(default_factory=dict)
    skips: bool = False

    def __post_init__(self):
        if self.original is None and ORIGINAL in self.settings.variants:
            raise ValueError(
                f"`variants` has {ORIGINAL!r}, but the run began with random "
                "weights: leave it out"
            )
        if tuple(self.task.consumes(self.encoder.levels)) != (VECTOR,):
            # Levels of a nested model must share its weights.
            self.encoder = _in_one_graph(self.encoder)
            self.original = self.original and _in_one_graph(self.original)
        moves = self.task.moves_with_image
        if self.augment and self.augment.mixes and not self.task.mixable:
            raise ValueError(
                f"the targets of {self.task.name} cannot be mixed; leave "
                "augment.mixup and augment.cutmix at 0"
            )
        if self.augment and self.augment.name != "none" and moves:
            raise ValueError(
                f"{self.augment.name} shifts and turns images, but the targets "
                f"of {self.task.name} would stay; leave augment.name at none"
            )
        self._labelled, self._examples = _labelled_examples(
            self.train, self.task, "training"
        )
        first, count = self.settings.seed, self.settings.seeds
        self._seeds = range(first, first + count)
        self._parts = self._draw_parts()
        self.fractions = list(dict.fromkeys(f for f, _ in self._parts))
        self._pretrained = self.encoder.model.get_weights()
        self._fresh = functools.lru_cache(self._fresh_weights)
        self._cached_tuner = None, None

    def _draw_parts(self):
        """Draws the parts of the labels, by fraction and seed."""
        strata = self.task.strata(self._examples.targets)
        share, names = self.settings.validation, self.task.columns
        parts = {}
        for fraction in self.fractions:
            try:
                parts |= {
                    (fraction, seed): draw_part(
                        strata, fraction, share, seed, names
                    )
                    for seed in self._seeds
                }
            except ValueError as error:
                if not self.skips or fraction is self.fractions[-1]:
                    raise
                print(f"Left out of --labels: {fraction.name}, since {error}.")
        return parts

    def run(self, workdir) -> dict:
        """Fits, tests, and writes into a run folder.

        Writes `finetune.json`, `finetune.png`, `finetune_subsets.json`,
        `classifier.keras` and `.json`, and `classifier.npz`, some test examples
        to verify exports on. The classifier is the fine-tuned model, or else
        the first variant, of the largest fraction, with the seed that was best
        on its validation part. Existing files of another task or dataset are
        renamed, see `keep_earlier`. Finished trainings are kept in
        `finetune_trainings` until then, so that a run that was interrupted
        makes only the others when it is started again.

        Args:
            workdir: the folder.

        Returns:
            The contents of `finetune.json`.
        """
        workdir, start_time = pathlib.Path(workdir), time.perf_counter()
        finetune_results.keep_earlier(
            workdir, registry.to_json(self.task)["task"], self.train.examples
        )
        subsets = finetune_results.subsets(
            self._parts, self._labelled, self.train.examples
        )
        write_json(workdir / "finetune_subsets.json", subsets)
        keys = list(itertools.product(self.fractions, self.settings.variants))
        store = TrainingStore(workdir, self._dependencies(), self._arrays())
        if store.count():
            print(f"Continued: {store.count()} trainings are done ({FOLDER}).")
        with Progress([self._planned(*key) for key in keys]) as progress:
            choices = {key: self._choose(*key, progress, store) for key in keys}
        _, test = _labelled_examples(self.load_test(), self.task, "test")
        test_metrics = {
            key: self._test(*key, choices[key], test) for key in choices
        }
        saved_key, best_index = self._best(choices)
        tuner, train, validation = self._restore_best(
            choices, saved_key, best_index
        )
        size = self.settings.encode_batch
        error_facts, predictions = pictures.find_errors(
            tuner, validation, test, size
        )
        result = {
            **finetune_results.summary(
                choices, test_metrics, self._counts(), self.task
            ),
            **self._circumstances(test),
            "constant": self._constant(test),
            **error_facts,
            "seconds": round(time.perf_counter() - start_time, 3),
        }
        write_json(workdir / "finetune.json", result)
        finetune_results.draw(result, workdir / "finetune.png")
        if pictures.has_places(self.task):
            batch = pictures.first_batch(train, self.settings.batch_size)
            pictures.report(workdir, result, tuner, batch, test, predictions)
        self._save(choices, test_metrics, saved_key, best_index, workdir)
        save_test_rows(*test, workdir / "classifier.npz")
        store.clear()
        return result

    # ---- training images only -----------------------------------------

    def _choose(self, fraction, variant, progress=None, store=None) -> Choice:
        grid_seeds, other_seeds = self._split_seeds()
        train = functools.partial(self._train, fraction, variant)
        if store:
            train = functools.partial(
                self._find_or_train, fraction, variant, progress, store
            )
        trainings = {
            setting: [train(setting, seed) for seed in grid_seeds]
            for setting in self.settings.grid(variant)
        }
        best, means = best_setting(trainings, self.task.metric)
        others = [train(best, seed) for seed in other_seeds]
        for setting in trainings.keys() - {best} if store else ():
            for fitted in trainings[setting]:
                names = _names(fraction, variant, setting, fitted.seed)
                store.drop_weights(names, fitted)
        return Choice(trainings[best] + others, means)

    def _split_seeds(self):
        """Returns seeds for the whole grid, and for the best setting alone."""
        count = self.settings.grid_seeds
        return self._seeds[:count], self._seeds[count:]

    def _planned(self, fraction, variant):
        """Returns the number of trainings, and the steps of each."""
        grid_seeds, other_seeds = self._split_seeds()
        grid = self.settings.grid(variant)
        trainings = len(grid_seeds) * len(grid) + len(other_seeds)
        return trainings, self.settings.steps(self._num_learned(fraction))

    def _find_or_train(self, fraction, variant, progress, store, setting, seed):
        """Makes a training, unless an interrupted run made it."""
        progress.begin(f"{fraction.name}, {variant}")
        names = _names(fraction, variant, setting, seed)
        fitted = store.find(names, self._pretrained)
        if fitted:
            progress.skip(self._planned(fraction, variant)[1])
            return fitted
        steps = progress.update
        fitted = self._train(fraction, variant, setting, seed, steps)
        store.keep(names, fitted, whole=variant != FROZEN)
        return fitted

    def _train(
        self, fraction, variant, setting, seed, on_steps=lambda steps: None
    ):
        tuner = self._tuner(fraction, seed)
        learn, validation = self._parts[fraction, seed]
        return fit(
            tuner,
            Weights(self._first_weights(variant, seed), tuner.new_head(seed)),
            self._examples.subset(learn),
            self._examples.subset(validation),
            settings=self.settings,
            setting=setting,
            seed=seed,
            whole=variant != FROZEN,
            augment=self.augment,
            on_steps=on_steps,
        )

    def _first_weights(self, variant, seed):
        if variant == ORIGINAL:
            return self.original.model.get_weights()
        return self._fresh(seed) if variant == SCRATCH else self._pretrained

    def _fresh_weights(self, seed):
        return self.encoder.fresh(seed).model.get_weights()

    def _tuner(self, fraction, seed) -> FineTuner:
        """Returns one tuner for all trainings while the task stays the same."""
        task = self.task
        if self.task_of is not None:
            learn = self._labelled[self._parts[fraction, seed].learn]
            task = self.task_of(subset(self.train, learn))
        key = json.dumps(registry.to_json(task))
        if key != self._cached_tuner[0]:
            tuner = FineTuner(
                self.encoder.fresh(self.settings.seed).model,
                task,
                self._prepared(),
                self.encoder.preprocessor,
                self.settings,
                self.draw,
                self.encoder.level_layers,
            )
            self._cached_tuner = key, tuner
        return self._cached_tuner[1]

    # ---- test images --------------------------------------------------

    def _test(self, fraction, variant, choice, test) -> list[dict]:
        """Returns test metrics of every seed."""
        metrics = []
        for fitted in choice.trainings:
            tuner = self._tuner(fraction, fitted.seed)
            tuner.restore(fitted.weights)
            metrics.append(tuner.judge(*test, self.settings.encode_batch))
        return metrics

    def _constant(self, test) -> dict[str, float] | None:
        """Returns metrics of the best constant guess, if the task has one."""
        guess = self.task.constant(self._examples.targets)
        if guess is None:
            return None
        count = test.examples.num_examples
        accumulator = self.task.accumulator()
        guesses = {k: np.repeat(v[None], count, 0) for k, v in guess.items()}
        accumulator.update(test.targets, guesses)
        return accumulator.result()

    # ---- reports ------------------------------------------------------

    def _best(self, choices):
        """Returns what to save: fraction and variant, and its best training."""
        variants = self.settings.variants
        variant = FINE_TUNED if FINE_TUNED in variants else variants[0]
        fraction = max(self.fractions, key=self._num_learned)
        trainings = choices[fraction, variant].trainings
        best_index = max(
            range(len(trainings)), key=lambda i: trainings[i].score
        )
        return (fraction, variant), best_index

    def _restore_best(self, choices, saved_key, best_index):
        """Repeats the training to save, with its weights and examples."""
        fitted = choices[saved_key].trainings[best_index]
        tuner = self._tuner(saved_key[0], fitted.seed)
        tuner.restore(fitted.weights)
        parts = self._parts[saved_key[0], fitted.seed]
        return tuner, *map(self._examples.subset, parts)

    def _save(self, choices, test_metrics, saved_key, best_index, workdir):
        fraction, variant = saved_key
        fitted = choices[saved_key].trainings[best_index]
        tuner = self._tuner(fraction, fitted.seed)
        tuner.restore(fitted.weights)
        shape = self.train.examples.row_shape
        self.encoder.of_rows(shape, tuner.classifier, tuner.task).save(
            workdir,
            "classifier",
            fraction=fraction.name,
            variant=variant,
            seed=fitted.seed,
            **fitted.setting._asdict(),
            validation=fitted.metrics,
            test=test_metrics[saved_key][best_index],
            **self.about,
        )

    def _prepared(self):
        """Returns specs of the encoder's inputs."""
        rows = bare(batch_spec(self.train.examples.spec, None))
        prepare = tf.function(self.encoder.preprocessor, autograph=False)
        return prepare.get_concrete_function(rows).structured_outputs

    def _num_learned(self, fraction):
        return len(self._parts[fraction, self._seeds[0]].learn)

    def _counts(self):
        """Returns the labels of each fraction, and their use."""
        counts = {}
        for fraction in self.fractions:
            learn, validation = self._parts[fraction, self._seeds[0]]
            counts[fraction] = {
                "labels": len(learn) + len(validation),
                "learned_from": len(learn),
                "chosen_by": len(validation),
                "steps": self.settings.steps(len(learn)),
            }
        return counts

    def _circumstances(self, test):
        return {
            **self._facts(),
            "noun": self.encoder.noun,
            "data": self.train.examples.name,
            "test_fingerprint": test.examples.fingerprint(),
            "labelled_images": len(self._labelled),
            "test_images": test.examples.num_examples,
            "machine": describe_machine(),
        }

    def _facts(self):
        return {
            "task": registry.to_json(self.task),
            "data_fingerprint": self.train.examples.fingerprint(),
            "settings": dataclasses.asdict(self.settings),
            "augment": vars(self.augment) if self.augment else None,
            **self.about,
        }

    def _dependencies(self):
        """Returns what trainings depend on, besides arrays, as JSON values."""
        inputs, by = str(self._prepared()), describe_machine()["versions"]
        return {**self._facts(), "inputs": inputs, "by": by}

    def _arrays(self):
        """Returns the arrays that trainings depend on."""
        original_weights = (
            self.original.model.get_weights() if self.original else []
        )
        targets = tf.nest.flatten(self._examples.targets)
        return [*self._pretrained, *original_weights, self._labelled, *targets]


def _names(fraction, variant, setting, seed):
    """Returns what distinguishes a training from the others of a run."""
    return fraction.name, variant, *setting, seed


def _in_one_graph(encoder):
    return dataclasses.replace(encoder, model=flat(encoder.model))


def _labelled_examples(labelled: Labelled, task: Task, part: str):
    """Returns positions of the labelled images, and those images."""
    targets = tf.nest.map_structure(_float32, task.targets(labelled))
    positions = np.flatnonzero(task.known(targets))
    if not len(positions):
        raise ValueError(
            f"{labelled.examples.name} has no label for any {part} example; "
            "label some of them"
        )
    examples = Targets(labelled.examples, targets)
    if len(positions) < labelled.examples.num_examples:
        examples = examples.subset(positions)
    return positions, examples


def _float32(array):
    floats = np.issubdtype(array.dtype, np.floating)
    return array.astype(np.float32, copy=False) if floats else array


def subset(labelled: Labelled, index: np.ndarray) -> Labelled:
    """Selects the examples at these positions, with their table rows."""
    table = labelled.table
    return Labelled(
        labelled.examples.subset(index),
        None if table is None else table.subset(index),
    )
