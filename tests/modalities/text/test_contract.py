"""Texts keep the contract of modalities."""

from typing import ClassVar

import pytest

from tests.modalities.contract import ModalityContract
from tests.modalities.text.contract import TextContract


class TestBag(TextContract):
    fields: ClassVar = {"encoder.name": "bag", "encoder.widths": (16,)}


@pytest.mark.slow
class TestTransformer(TextContract):
    fields: ClassVar = {"encoder.name": "text_small", "encoder.widths": (8,)}

    def test_levels_have_their_strides(self, member):
        ModalityContract.test_levels_have_their_strides(self, member)
