"""What every encoder of texts keeps of the contract of modalities."""

from typing import ClassVar

import numpy as np
import tensorflow as tf

from tests.modalities.contract import DRAWN, ModalityContract, assert_close

SENTENCE = "the card has not come yet and I want a new one now please"
WORDS = SENTENCE.split(" ")


class TextContract(ModalityContract):
    name, extension = "text", ".txt"
    readable = ("text", "half")
    garbage: ClassVar = {"zero": b"a\0b", "blank": b" \n\t"}

    @staticmethod
    def write(path, number):
        rng = np.random.default_rng(number)
        words = rng.permutation(WORDS)[: 8 + number]
        path.write_text(" ".join(words))

    def test_the_preprocessor_is_the_same_compiled(self, member):
        """In a graph, that is: XLA has no strings."""
        prepare = tf.function(member.preprocessor, autograph=False)
        batch = member.batch(range(DRAWN))
        assert_close([prepare(batch)], [member.prepared])

    def test_levels_have_their_strides(self, member):
        """Vectors of whole texts have none."""
        assert not member.modality.levels(member.encoder)
