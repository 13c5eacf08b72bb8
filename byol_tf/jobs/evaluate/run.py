"""Linear evaluation of a pretrained encoder, with two baselines.

Everything is chosen and fitted on training images. Only then is the test set
loaded, by a function that nothing before it can call, and everything that was
fitted is tested once.
"""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.data.batches import training_batches
from byol_tf.data.examples import Examples
from byol_tf.data.order import steps_per_epoch
from byol_tf.data.split import holdout_mask
from byol_tf.evaluation.feature_cache import FeatureCache
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.linear_probe import choose_probe
from byol_tf.evaluation.logistic import choose_logistic
from byol_tf.evaluation.selection import Choice, choose_neighbours
from byol_tf.files import write_json
from byol_tf.jobs.evaluate import results as linear_results
from byol_tf.jobs.evaluate.settings import Settings
from byol_tf.lines import progress_bar
from byol_tf.optim.schedules import scaled_learning_rate
from byol_tf.runs.encoder import Encoder
from byol_tf.runtime import describe_machine
from byol_tf.seeds import step_seed

# Fields with the settings that are tried, by method.
_SETTING_FIELDS = {
    "sgd": "sgd.learning_rates",
    "logistic": "logistic.penalties",
}


class Contestant(NamedTuple):
    """An encoder to evaluate."""

    name: str  # heading of its row
    encoder: Encoder  # features of one that was never saved are not cached
    # Random views of SGD, see `Modality.train_view`; None: without SGD.
    view: Callable | None = None


@dataclasses.dataclass
class LinearEvaluation:
    """A linear evaluation that is ready to run.

    Attributes:
        contestants: encoders, the main one last.
        train: labelled images of at least two classes.
        load_test: loads the test images; called once, at the end. Those without
            a label are left out.
        settings: settings of the protocols.
        about: JSON values written with the result.
        row_features: returns features of files, and computes only those that it
            does not have yet, see `groups.RowFeatures`; None: compute all.
    """

    contestants: list[Contestant]
    train: Examples
    load_test: Callable[[], Examples]
    settings: Settings
    about: Mapping = dataclasses.field(default_factory=dict)
    row_features: Callable | None = None

    def __post_init__(self):
        labels = self.train.labels
        if len(np.unique(labels)) < 2 or labels.min() < 0:
            raise ValueError(
                "evaluation needs labelled training examples of two classes or "
                f"more; {self.train.name} has labels of "
                f"{len(np.unique(labels[labels >= 0]))}. Put files into a "
                "sub-folder per class, add labels.csv (path,label), or name a "
                "labelled dataset by --data=DIR"
            )
        sgd, count = self.settings.sgd, self.train.num_examples
        if sgd.epochs:
            batch = min(sgd.batch_size, count)  # those of some groups are few
            sgd = dataclasses.replace(sgd, batch_size=batch)
            self.settings = dataclasses.replace(self.settings, sgd=sgd)
            self._steps = sgd.epochs * steps_per_epoch(count, batch)
        self._held_out = holdout_mask(
            labels, self.settings.holdout, self.settings.seed
        )

    def run(self, workdir, name: str = "eval_linear") -> dict:
        """Fits, tests, and writes into a run folder.

        Args:
            workdir: the folder; features are cached in `features/`.
            name: prefix of the files: `<name>.json` and `<name>_confusion.png`.

        Returns:
            The contents of the JSON file.
        """
        workdir = pathlib.Path(workdir)
        start_time = time.perf_counter()
        cache = FeatureCache(workdir / "features")
        fitted = [
            self._fit(contestant, cache) for contestant in self.contestants
        ]
        test = linear_results.checked_test(self.load_test(), self.train)
        rows = {}
        pairs = zip(self.contestants, fitted, strict=True)
        for contestant, (features, choices) in pairs:
            rows[contestant.name] = linear_results.apply_classifiers(
                choices,
                (features, self.train.labels),
                (self._features(contestant, test, cache), test.labels),
                num_classes=self.train.num_classes,
                temperature=self.settings.temperature,
            )
        result = {
            **linear_results.summary(
                rows,
                test,
                self._class_names(),
                interval={
                    "resamples": self.settings.resamples,
                    "level": self.settings.level,
                    "seed": self.settings.seed,
                },
            ),
            **self._circumstances(test),
            "seconds": round(time.perf_counter() - start_time, 3),
        }
        write_json(workdir / f"{name}.json", result)
        linear_results.draw(
            result, workdir / f"{name}_confusion.png", self.train.name
        )
        return result

    # ---- training images only -----------------------------------------

    def _fit(self, contestant, cache):
        """Returns features of the training images, and a choice by protocol."""
        settings, labels = self.settings, self.train.labels
        features = self._features(contestant, self.train, cache)
        options = {"num_classes": self.train.num_classes}
        training_data = features, labels, self._held_out
        fits = {
            "logistic": functools.partial(
                choose_logistic,
                *training_data,
                penalties=settings.penalties,
                unit=settings.unit,
                **options,
            ),
            "knn": functools.partial(
                choose_neighbours,
                *training_data,
                ks=settings.neighbours,
                temperature=settings.temperature,
                **options,
            ),
        }
        if contestant.view is not None and settings.sgd.epochs:
            sgd = functools.partial(self._fit_sgd, contestant, features)
            fits = {"sgd": sgd, **fits}
        choices = {}
        for method, fit in fits.items():
            start_time = time.perf_counter()
            choice = fit()
            choices[method] = choice, time.perf_counter() - start_time
            if choice.at_edge and method != "knn":
                logging.warning(
                    f"{contestant.name}, {method}: the best setting, "
                    f"{choice.value:g}, is at the end of those tried; try "
                    f"some beyond it by --config.{_SETTING_FIELDS[method]}."
                )
        return features, choices

    def _features(self, contestant, images, cache):
        compute = functools.partial(
            self._compute_features, contestant, cache=cache
        )
        if self.row_features is None:
            return compute(images)
        return self.row_features(contestant.name, images, compute)

    def _compute_features(self, contestant, images, cache):
        extractor = FeatureExtractor(
            contestant.encoder.model,
            contestant.encoder.preprocessor,
            self.settings.encode_batch,
        )

        def compute():
            title = f"{contestant.name}: features"
            return extractor(images, functools.partial(progress_bar, title))

        identity = contestant.encoder.identity
        if identity is None:
            features = compute()
        else:
            identity = {**identity, "data": images.fingerprint()}
            features = cache.get(identity, images.num_examples, compute)
        if not np.isfinite(features).all():
            raise ValueError(
                f"the features of {contestant.name} have NaN or infinite "
                "values; has its training diverged?"
            )
        return features

    def _fit_sgd(self, contestant, features) -> Choice:
        settings = self.settings.sgd
        # Indices, to know which images are held out.
        batches = training_batches(
            self.train.reduced(contestant.view).numbered(),
            settings.batch_size,
            seed=self.settings.seed,
            num_steps=self._steps,
        )

        compiles = getattr(contestant.view, "compiles", True)

        @functools.partial(tf.function, jit_compile=compiles, autograph=False)
        def draw(rows, seed):
            return contestant.view(rows, seed)[0]

        def encode(images, step):
            images = draw(images, step_seed(self.settings.seed, step))
            return contestant.encoder.model(images, training=False)

        images = self._steps * settings.batch_size
        with progress_bar(
            f"{contestant.name}: SGD",
            total=images,
            unit=contestant.encoder.noun,
        ) as bar:
            choice = choose_probe(
                batches,
                encode,
                self.train.labels,
                self._held_out,
                features[self._held_out],
                num_classes=self.train.num_classes,
                learning_rates=[
                    scaled_learning_rate(rate, settings.batch_size)
                    for rate in settings.learning_rates
                ],
                total_steps=self._steps,
                momentum=settings.momentum,
                jit_compile=self.settings.jit_compile and compiles,
                on_step=lambda losses: bar.update(settings.batch_size),
            )
        # Reported as given, for a batch of 256.
        configured_rates = settings.learning_rates
        rates = dict(zip(choice.accuracies, configured_rates, strict=True))
        accuracies = {rates[r]: a for r, a in choice.accuracies.items()}
        return dataclasses.replace(
            choice, value=rates[choice.value], accuracies=accuracies
        )

    # ---- reports ------------------------------------------------------

    def _class_names(self):
        names, count = list(self.train.class_names), self.train.num_classes
        return names + [str(i) for i in range(len(names), count)]

    def _circumstances(self, test):
        train = self.train
        return {
            "data": train.name,
            "data_fingerprint": train.fingerprint(),
            "test_fingerprint": test.fingerprint(),
            "images": train.num_examples,
            "held_out": int(self._held_out.sum()),
            "test_images": test.num_examples,
            "seed": self.settings.seed,
            "settings": dataclasses.asdict(self.settings),
            **self.about,
            "machine": describe_machine(),
        }
