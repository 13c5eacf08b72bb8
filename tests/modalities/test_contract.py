"""The contract test suite finds what a modality does not keep."""

import numpy as np
import pytest
import tensorflow as tf

from tests.modalities.contract import Member, ModalityContract
from tests.modalities.signals import SignalFiles
from tests.support.toy_modality import Cuts, Middle, Signals, read


class OneForAll(Cuts):
    """Draws the same numbers for all rows of a batch."""

    def numbers(self, seed, count):
        return tf.repeat(super().numbers(seed, 1), count, axis=0)


class WithoutSeed(Cuts):
    def numbers(self, seed, count):
        return super().numbers(tf.random.uniform([2], 0, 9, tf.int32), count)


class OneView(Cuts):
    def __call__(self, batch, seed):
        view, _ = super().__call__(batch, seed)
        return view, view


class OfTheBatch(Cuts):
    """Scales every row by what the others are."""

    def __call__(self, batch, seed):
        views = super().__call__(batch, seed)
        return tuple(v / tf.reduce_max(v[-1]) for v in views)


class OfPython(Cuts):
    """Differs once it is traced."""

    def __call__(self, batch, seed):
        views = super().__call__(batch, seed)
        factor = 1.0 if tf.executing_eagerly() else 2.0
        return tuple(v * factor for v in views)


class Padded(Middle):
    """Takes the zeros behind a row for a part of it."""

    def call(self, batch):
        return super().call(
            batch["signal"] if isinstance(batch, dict) else batch
        )


def with_views(views):
    class Faulty(Signals):
        def views(self, section, preprocessor):
            return views(preprocessor.deviation)

    return Faulty()


class Trusting(Signals):
    """Reads whatever there is."""

    def decoder(self, section):
        def decode(data):
            try:
                return read(data)
            except ValueError:
                return np.ones(64, np.float32)

        good = super().decoder(section)
        return type(good)(good.spec, decode, good.extensions)


class Careless(Signals):
    def fit(self, examples, section):
        return Padded(super().fit(examples, section).deviation)


class OtherInputs(Signals):
    """Exports windows that it scales once more."""

    def inputs(self, preprocessor, sizes, form):
        return {
            name: one._replace(read=lambda x: (preprocessor(2 * x), None))
            for name, one in super().inputs(preprocessor, sizes, form).items()
        }


class OnePicture(Signals):
    def preview(self, row):
        return np.zeros((4, 4, 3), np.uint8)


FAULTS = {
    "one_for_all": with_views(OneForAll),
    "without_seed": with_views(WithoutSeed),
    "one_view": with_views(OneView),
    "of_the_batch": with_views(OfTheBatch),
    "of_python": with_views(OfPython),
    "trusting": Trusting(),
    "careless": Careless(),
    "other_inputs": OtherInputs(),
    "one_picture": OnePicture(),
}
globals().update(FAULTS)


def member_of(name, folder):
    folder.mkdir()
    case = type(name, (SignalFiles,), {"name": f"{__name__}:{name}"})
    return Member(case, folder)


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ("one_for_all", "views_differ_from_example_to_example_of_one_row"),
        ("without_seed", "the_same_seed_gives_the_same_views"),
        ("one_view", "views_differ_from_each_other"),
        ("of_the_batch", "a_view_depends_on_its_own_row_alone"),
        ("of_python", "views_are_the_same_eager_and_compiled"),
        ("careless", "a_row_is_prepared_alone_as_among_others"),
        (
            "other_inputs",
            "what_is_exported_and_served_gives_the_encoder_s_own_vectors",
        ),
        ("one_picture", "every_row_has_a_picture"),
    ],
)
def test_a_fault_is_found(tmp_path, fault, test):
    member = member_of(fault, tmp_path / "rows")
    with pytest.raises(AssertionError):
        getattr(ModalityContract(), f"test_{test}")(member)


def test_a_modality_that_reads_garbage_is_found(tmp_path):
    case = type("Case", (SignalFiles,), {"name": f"{__name__}:trusting"})
    (tmp_path / "rows").mkdir()
    member = Member(case, tmp_path / "rows")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        case().test_garbage_is_unreadable(member, tmp_path)
