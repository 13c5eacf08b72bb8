"""Evaluates the encoder of a pretraining run, and its baselines."""

import functools
import pathlib

import keras
import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.rows import spread_rows
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.summary import bank_rows, knn_summary, summarize
from byol_tf.files import read_json, whole_file, write_json
from byol_tf.layers.parameters import random_twin
from byol_tf.lines import progress_bar

# Test examples, evenly spaced, whose first vectors are kept.
MOST_VECTORS = 1000
PATIENCE = 5.0  # seconds after which a progress bar appears


class Judge:
    """Evaluates the representations of a run's training and test examples.

    Args:
        job: the run, a `Pretraining`.

    Attributes:
        extractor: extractor of the run's encoder.
    """

    def __init__(self, job):
        self._job = job
        self.extractor = FeatureExtractor(job.encoder, job.prepare)

    def measure(
        self, name: str, extractor: FeatureExtractor | None = None
    ) -> tuple[dict, tuple[np.ndarray, np.ndarray]]:
        """Evaluates an encoder.

        Args:
            name: of the encoder, for the progress bar.
            extractor: None: the run's, in its current state.

        Returns:
            Numbers from `summarize`, and representations `[n, features]` of
            `examples` and of the test examples.
        """
        job, extractor = self._job, extractor or self.extractor
        show = _bar(name)
        train, test = extractor(self.examples, show), extractor(job.test, show)
        metrics = summarize(
            train,
            self.examples.labels,
            test,
            job.test.labels,
            num_classes=job.train.num_classes,
            protocol=job.protocol,
        )
        return metrics, (train, test)

    def before(self, workdir: pathlib.Path) -> dict:
        """Evaluates before training; keeps `before.json` and `before.npz`.

        A continued run reads them. If it continues with other data, it is
        evaluated again, since the evaluation after training uses these.
        """
        path, vectors_path = workdir / "before.json", workdir / "before.npz"
        job = self._job
        data = [job.train.fingerprint(), job.test.fingerprint()]
        if not path.exists() or self._other_data(vectors_path, data):
            metrics, features = self.measure("before training")
            count = len(features[1])
            # The first rows of a folder would be its first classes.
            rows = spread_rows(count, MOST_VECTORS)
            arrays = {"test": features[1][rows], "rows": rows, "data": data}
            with whole_file(vectors_path) as temporary:
                np.savez(temporary, **arrays)
            write_json(path, metrics)
        return read_json(path)

    def _other_data(self, path, data):
        """Returns whether a file is of data that the run does not go on with.

        `RunIdentity` refuses other training data unless they are accepted.
        """
        with np.load(path) as file:
            saved_data = [*file.get("data", data)]  # not in earlier releases
        accepted = self._job.accept_changes or saved_data[0] == data[0]
        return saved_data != data and accepted

    def vectors_before(self, workdir: pathlib.Path) -> tuple:
        """Returns representations before training, and their test rows."""
        with np.load(workdir / "before.npz") as file:
            vectors = file["test"]
            # Runs of release 0.2 have the first rows.
            rows = file["rows"] if "rows" in file else np.arange(len(vectors))
            return vectors, rows

    def random(self) -> dict:
        """Evaluates a random encoder if the run started from weights."""
        job = self._job
        if not job.about.get("start"):
            return {}
        keras.utils.set_random_seed(job.settings.seed)
        twin = random_twin(job.encoder)
        extractor = FeatureExtractor(twin, job.prepare)
        return self.measure("random encoder", extractor)[0]

    def raw(self, after: dict) -> dict:
        """Measures kNN accuracy of raw inputs if `after` has it."""
        job = self._job
        if "knn_accuracy" not in after:
            return {}
        name, model, prepare = job.modality.raw(job.prepare, job.about["sizes"])
        extractor = FeatureExtractor(model, prepare)
        bank, pairs = np.flatnonzero(self.examples.labels >= 0), []
        bank = np.sort(bank[bank_rows(len(bank), job.protocol)])
        for examples in (self.examples.subset(bank), job.test):
            is_labelled = examples.labels >= 0
            features = extractor(examples, _bar(name))
            pairs.append((features[is_labelled], examples.labels[is_labelled]))
        metrics = knn_summary(*pairs, job.train.num_classes, job.protocol)
        return {"name": name, **metrics}

    @functools.cached_property
    def examples(self) -> Examples:
        """Training examples to use: labelled ones if there are any."""
        train, limit = self._job.train, self._job.protocol.max_train
        labelled = np.flatnonzero(train.labels >= 0)
        usable = labelled if len(labelled) else np.arange(train.num_examples)
        if len(usable) > limit:
            rng = np.random.default_rng((self._job.settings.seed, 2))
            usable = np.sort(rng.permutation(usable)[:limit])
        usable = train.readable_rows(usable)
        if len(usable) == train.num_examples:
            return train
        return train.subset(usable)


def _bar(name):
    return functools.partial(progress_bar, f"{name}: features", delay=PATIENCE)
