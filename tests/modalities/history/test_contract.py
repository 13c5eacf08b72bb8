"""Histories keep the contract of modalities."""

import json
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.history.rows import Reading, key_of
from tests.modalities.contract import ModalityContract, as_arrays

ITEMS = [f"item {number}" for number in range(60)]


class TestHistory(ModalityContract):
    name, extension = "history", ".history"
    fields: ClassVar = {
        "history.length": 40,
        "history.half_life": 100.0,
        "encoder.name": "histories",
        "encoder.widths": (16, 8),
    }
    garbage: ClassVar = {
        "none": b'{"items": []}',
        "list": b"[1, 2]",
        "word": b'{"items": "ab"}',
        "lengths": b'{"items": ["a", "b"], "times": [1]}',
        "nan": b'{"items": ["a"], "times": [NaN]}',
        "words": b'{"items": ["a"], "weights": ["much"]}',
    }

    @staticmethod
    def write(path, number):
        rng = np.random.default_rng(number)
        some = rng.permutation(len(ITEMS))[: 20 + 3 * number]
        days = np.sort(rng.integers(1, 300, len(some)))
        about = {
            "items": [ITEMS[item] for item in some],
            "times": [int(day) * 86400 for day in days],
        }
        path.write_text(json.dumps(about))

    def test_levels_have_their_strides(self, member):
        assert member.modality.levels(member.encoder) == {}

    def test_views_are_parts_of_the_history(self, member):
        whole = as_arrays([member.prepared > 0])[0]
        for view in member.pair:
            kept = view > 0
            assert not (kept & ~whole).any()
            assert kept.sum(1).min() >= 1 and (kept.sum(1) < whole.sum(1)).all()

    def test_vectors_are_weights_of_known_items_of_length_1(self, member):
        for row, vector in zip(member.rows, member.prepared, strict=False):
            there = row[row[:, 0] >= 0]
            age = (there[:, 1].max() - there[:, 1]) / 1440
            place = np.searchsorted(member.preprocessor.keys, there[:, 0])
            expected = np.zeros(len(vector))
            expected[place] = 0.5 ** (age / 100)
            expected /= np.linalg.norm(expected)
            np.testing.assert_allclose(vector, expected, atol=1e-6)

    def test_items_without_times_are_in_the_order_of_time(self):
        for length in (5, 70):
            about = json.dumps({"items": [*map(str, range(100))]})
            row = Reading(length)(about.encode("utf-8-sig"))
            newest = [key_of(str(99 - n)) for n in range(length)]
            assert row[:, 0].tolist() == newest

    def test_unknown_items_are_passed_over(self, member):
        row = np.array(member.rows[0])
        row[0, :2] = 12345, row[0, 1] + 3000 * 1440  # 30 half-lives newer
        assert 12345 not in member.preprocessor.keys
        (found,) = member.preprocessor(tf.constant(row)[None]).numpy()
        assert np.count_nonzero(found) == (row[:, 0] >= 0).sum() - 1
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
