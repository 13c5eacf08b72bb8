"""Linear text classifiers with calibrated confidence."""

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

from byol_tf.systems.common.tfidf import Tfidf, as_bytes, of_bytes

# A frozen encoder: from texts to unit vectors [n, dim].
Encode = Callable[[Sequence[str]], np.ndarray]

_TOLERANCE = 0.01  # of the solver; finer: 5 x the time, same results
_TEMPERATURES = np.geomspace(0.05, 5, 40)
_BASELINE_STRENGTH = 10.0
_PRIOR = 0.1  # added to the weight of each feature in a class


class Head(NamedTuple):
    """A linear classifier of texts.

    Attributes:
        tfidf: features of a text.
        classes: names of the classes.
        weights: float32 `[features (+ dim of the encoder), classes]`.
        bias: float32 `[classes]`.
        temperature: divides the scores before the softmax.
        encode: the frozen encoder, or None.
    """

    tfidf: Tfidf
    classes: list[str]
    weights: np.ndarray
    bias: np.ndarray
    temperature: float = 1.0
    encode: Encode | None = None

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Returns probabilities, float `[n, classes]`."""
        rows = _rows(self.tfidf, self.encode, texts)
        scores = rows @ self.weights + self.bias
        return softmax(scores / self.temperature, axis=1)

    def predict(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the most likely classes `[n]`, and their probabilities."""
        probabilities = self.probabilities(texts)
        names = np.array(self.classes)[probabilities.argmax(1)]
        return names, probabilities.max(1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays to save; `of_arrays` restores them."""
        return {
            **self.tfidf.arrays(),
            "classes": as_bytes(self.classes),
            "weights": self.weights,
            "bias": self.bias,
            "temperature": np.float64(self.temperature),
            "encoder": as_bytes(self.encode and _digest(self.encode)),
        }

    @classmethod
    def of_arrays(cls, arrays, encode: Encode | None) -> "Head":
        """Restores a classifier from `arrays`.

        Args:
            arrays: arrays by name.
            encode: the encoder of the run folder, or None.

        Raises:
            ValueError: if it was fitted with an encoder, and there is none or
                another one.
        """
        digest = arrays["encoder"]
        # A bool in earlier releases.
        digest = of_bytes(digest) if digest.ndim else bool(digest)
        if digest and encode is None:
            raise ValueError(
                "the head was fitted on an encoder.keras that is not in the "
                "run folder any more; fit again"
            )
        if digest and digest not in (True, _digest(encode)):
            raise ValueError(
                "the head was fitted on another encoder.keras than the one in "
                "the run folder; fit again"
            )
        return cls(
            Tfidf.of_arrays(arrays),
            of_bytes(arrays["classes"]),
            *(arrays["weights"], arrays["bias"], float(arrays["temperature"])),
            encode if digest else None,
        )


class LabelledTexts(NamedTuple):
    """Texts and their labels."""

    texts: list[str]
    labels: list[str]


def split(
    texts: Sequence[str], labels: Sequence[str], share: float, seed: int
) -> tuple[LabelledTexts, LabelledTexts]:
    """Splits rows into a part to fit and a held-out part.

    At least one row of each label stays in the part to fit.

    Args:
        texts: texts of the rows.
        labels: label of each text.
        share: share of the rows to hold out, of all.
        seed: seed of the draw.

    Raises:
        ValueError: if nothing is left to hold out.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    labels_of = np.array(labels)[order]
    is_first = np.zeros(len(texts), bool)
    is_first[np.unique(labels_of, return_index=True)[1]] = True
    if is_first.all():
        raise ValueError(
            f"each of the {len(texts)} labels has one row, so none can be "
            "held out to judge by; add rows until some label has two"
        )
    counts = Counter(labels)
    single = [label for label in labels if counts[label] == 1]
    if single:
        logging.warning(
            "labels with one row: %d of %d, such as %r; they are learned, but "
            "not in the held-out rows",
            *(len(single), len(counts), single[0]),
        )
    held_out_rows = order[~is_first][: max(1, round(share * len(texts)))]
    fit_rows = np.setdiff1d(order, held_out_rows)
    return tuple(
        LabelledTexts([texts[i] for i in part], [labels[i] for i in part])
        for part in (fit_rows, held_out_rows)
    )


def choose_head(
    fit: LabelledTexts,
    held_out: LabelledTexts,
    *,
    shapes: Sequence[str],
    strengths: Sequence[float],
    encode: Encode | None = None,
    ratios: bool = False,
) -> tuple[Head, float]:
    """Chooses features and strength on held-out rows, and fits a classifier.

    Args:
        fit: rows to fit.
        held_out: rows for choosing by macro-F1 and for the temperature.
        shapes: keys of `SHAPES` to choose from.
        strengths: inverse L2 penalties to choose from.
        encode: a frozen encoder, tried as additional features; or None.
        ratios: add a second classifier to each class, of features weighted by
            how much more often one class has them (Wang & Manning 2012).

    Returns:
        The classifier, fitted to the first part, and its strength.
    """
    best, choice = -1.0, None
    encoders = [None, encode] if encode else [None]
    for shape, encoder in itertools.product(shapes, encoders):
        tfidf = Tfidf(shape).fit(fit.texts)
        rows, held_out_rows = (
            _rows(tfidf, encoder, part.texts) for part in (fit, held_out)
        )
        for strength in strengths:
            head = _fitted(tfidf, encoder, rows, fit.labels, strength, ratios)
            scores = held_out_rows @ head.weights + head.bias
            names = np.array(head.classes)[scores.argmax(1)]
            if (f1 := macro_f1(held_out.labels, names)) > best:
                best, temperature = (
                    f1,
                    _temperature(head, scores, held_out.labels),
                )
                choice = head._replace(temperature=temperature), strength
    print(
        f"Held-out rows: macro-F1 {100 * best:.1f} % with "
        f"{choice[0].tfidf.shape} features"
        f"{' and the encoder' if choice[0].encode else ''}, "
        f"strength {choice[1]:g}"
    )
    return choice


def fit_again(
    head: Head, strength: float, *parts: LabelledTexts, ratios: bool = False
) -> Head:
    """Fits the chosen classifier to all parts; see `choose_head`."""
    texts = [text for part in parts for text in part.texts]
    labels = [label for part in parts for label in part.labels]
    tfidf = Tfidf(head.tfidf.shape).fit(texts)
    rows = _rows(tfidf, head.encode, texts)
    refitted = _fitted(tfidf, head.encode, rows, labels, strength, ratios)
    return refitted._replace(temperature=head.temperature)


def fit_baseline(texts: Sequence[str], labels: Sequence[str]) -> Head:
    """Fits the baseline: logistic regression on words and trigrams."""
    tfidf = Tfidf().fit(texts)
    model = LogisticRegression(C=_BASELINE_STRENGTH, max_iter=200, tol=1e-3)
    return _head(tfidf, None, model, tfidf.rows(texts), labels)


def macro_f1(labels: Sequence[str], predicted: Sequence[str]) -> float:
    """Computes the mean F1 in [0, 1] over the classes in `labels`."""
    names = sorted(set(labels))
    return float(
        f1_score(
            *(list(labels), list(predicted)),
            labels=names,
            average="macro",
            zero_division=0,
        )
    )


def _digest(encode):
    """Returns what identifies an encoder; True if nothing does."""
    return getattr(encode, "digest", True)


def _fitted(tfidf, encode, rows, labels, strength, ratios):
    head = _head(tfidf, encode, _svm(strength), rows, labels)
    return _with_ratios(head, rows, labels, strength) if ratios else head


def _svm(strength):
    return LinearSVC(C=strength, class_weight="balanced", tol=_TOLERANCE)


def _with_ratios(head, rows, labels, strength):
    """Adds the classifiers of weighted features; the sum is linear, too."""
    weights, bias = head.weights.copy(), head.bias.copy()
    for place, name in enumerate(head.classes):
        in_class = np.array(labels) == name
        factors = np.ones(rows.shape[1], np.float32)
        factors[: head.tfidf.size] = _ratios(
            rows[:, : head.tfidf.size], in_class
        )
        model = _svm(strength).fit(rows @ sparse.diags(factors), in_class)
        weights[:, place] += factors * model.coef_[0]
        bias[place] += model.intercept_[0]
    return head._replace(weights=weights, bias=bias)


def _ratios(rows, in_class):
    """Computes |log(share in the class / share outside)| of each feature."""
    shares = []
    for part in (rows[in_class], rows[~in_class]):
        total = np.asarray(part.sum(axis=0)).ravel() + _PRIOR
        shares.append(total / total.sum())
    return np.abs(np.log(shares[0] / shares[1]))


def _head(tfidf, encode, model, rows, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nearly converged is good enough
        model.fit(rows, labels)
    weights, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn has one score for two classes
        weights = np.concatenate([-weights, weights]) / 2
        bias = np.concatenate([-bias, bias]) / 2
    return Head(
        tfidf,
        model.classes_.tolist(),
        np.ascontiguousarray(weights.T, np.float32),
        bias.astype(np.float32),
        encode=encode,
    )


def _rows(tfidf, encode, texts):
    rows = tfidf.rows(texts)
    if encode is None:
        return rows
    return sparse.hstack([rows, sparse.csr_matrix(encode(texts))]).tocsr()


def _temperature(head, scores, labels):
    """Returns the one of `_TEMPERATURES` with the highest likelihood."""
    places = {name: place for place, name in enumerate(head.classes)}
    known_rows = [n for n, label in enumerate(labels) if label in places]
    columns = [places[labels[n]] for n in known_rows]
    likelihoods = [
        log_softmax(scores[known_rows] / t, axis=1)[
            range(len(known_rows)), columns
        ].mean()
        for t in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmax(likelihoods))])
