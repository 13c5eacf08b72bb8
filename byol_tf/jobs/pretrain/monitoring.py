"""The monitors of a pretraining run, and the inputs they measure."""

import dataclasses
import functools
import pathlib

import numpy as np
import tensorflow as tf

from byol_tf.data.batches import rows_for_views
from byol_tf.evaluation.collapse import Diagnosis
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.files import whole_file
from byol_tf.search.duplicates import groups_among
from byol_tf.seeds import step_seed
from byol_tf.training import monitors

BANK_RATIO = 4  # voting images per classified image
PAIRS = 256  # images to measure the agreement on


class Watch:
    """The monitors of a run, on a part of its training images.

    Images whose kNN accuracy is measured do not vote, but pretraining uses
    them, since it sees no labels. Test images are not used.

    Args:
        job: the run, a `Pretraining`.
        extractor: extractor of the encoder's representations.
        early: file for the representations of the first measurement.

    Attributes:
        rows: rows of the training images whose representations are measured.
    """

    def __init__(self, job, extractor: FeatureExtractor, early: pathlib.Path):
        train, settings, protocol = job.train, job.settings, job.protocol
        samples, every = settings.monitor_samples, settings.monitor_every_epochs
        rng = np.random.default_rng((settings.seed, 1))
        order = rng.permutation(train.num_examples)
        self._train, self._early = train, early
        self.rows = rows = train.readable_rows(np.sort(order[:samples]))
        take_rows = train.rows.__getitem__ if train.dense else train.subset
        self.collapse = monitors.CollapseMonitor(
            extractor,
            take_rows(rows),
            every=every,
            stop=settings.monitor_stop_on_collapse,
            pair=_agreement(job.model, job.views, train, rows[:PAIRS]),
            keep=self._keep,
            milder=job.milder,
            stronger=job.modality.strength[0],
        )
        self.callbacks = [self.collapse]
        labelled = order[train.labels[order] >= 0]
        queries = labelled[: min(samples, len(labelled) // 2)]
        bank = labelled[len(queries) :][: BANK_RATIO * samples]
        self.queries = len(queries)  # images whose kNN accuracy is measured
        if settings.monitor_knn and len(queries):
            queries = train.readable_rows(np.sort(queries))
            bank = train.readable_rows(np.sort(bank))
            self.callbacks.append(
                monitors.KNNMonitor(
                    extractor,
                    take_rows(bank),
                    train.labels[bank],
                    take_rows(queries),
                    train.labels[queries],
                    num_classes=train.num_classes,
                    k=min(protocol.knn_k, len(bank)),
                    temperature=protocol.knn_temperature,
                    every=every,
                )
            )

    def _keep(self, representations):
        if not self.has_early:
            arrays = {"features": representations, "data": self._data}
            with whole_file(self._early) as temporary:
                np.savez(temporary, **arrays)

    @functools.cached_property
    def _data(self):
        return self._train.subset(self.rows).fingerprint()

    @property
    def has_early(self) -> bool:
        """Whether a first measurement of these images is kept."""
        if not self._early.exists():
            return False
        with np.load(self._early) as file:  # earlier releases do not say
            return file.get("data", self._data) == self._data

    def early_and_late(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns representations of `rows` when first measured, and now."""
        with np.load(self._early) as file:
            return file["features"], self._current

    @functools.cached_property
    def duplicates(self) -> list[np.ndarray]:
        """Groups of near-duplicates of `rows` at the end, largest first."""
        if len(self._current) < 3 or not np.isfinite(self._current).all():
            return []
        return [self.rows[rows] for rows in groups_among(self._current)]

    @functools.cached_property
    def _current(self):
        return self.collapse.extractor(self.collapse.inputs)

    def state(self) -> dict:
        """Returns the state to save: the first rank, and a diagnosis."""
        diagnosis = self.collapse.diagnosis
        return {
            "first_rank": self.collapse.first_rank,
            "diagnosis": diagnosis and dataclasses.asdict(diagnosis),
        }

    def set_state(self, state: dict) -> None:
        """Restores a state; {} for a new run."""
        if "name" in state:  # format of release 0.2
            state = {"diagnosis": state}
        diagnosis = state.get("diagnosis")
        self.collapse.diagnosis = Diagnosis(**diagnosis) if diagnosis else None
        self.collapse.first_rank = state.get("first_rank")

    @property
    def seconds(self) -> float:
        """Time spent measuring since this process started."""
        return round(sum(monitor.seconds for monitor in self.callbacks), 3)


def _agreement(model, views, train, index):
    """Returns a function that computes predictions and target projections.

    Without target these are projections of the online network; without
    predictor, projections are compared.
    """
    seed = step_seed(model.seed, -1)
    batch = rows_for_views(train, index, views, seed)

    @tf.function(autograph=False)
    def outputs():
        view1, view2 = views(batch, seed=seed)
        online = model.online(view1, training=False)
        target = model.target(view2, training=False)
        return online.prediction, target.projection

    return lambda: [tensor.numpy() for tensor in outputs()]
