"""Files of the modality that is made as somebody would add one."""

import io
from typing import ClassVar

import numpy as np

from tests.modalities.contract import ModalityContract


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


class SignalFiles(ModalityContract):
    """The contract for signals, see `toy_modality`."""

    name, extension = "tests.support.toy_modality:SIGNALS", ".npy"
    garbage: ClassVar = {
        "short": npy(np.zeros(15, np.float32)),
        "table": npy(np.zeros((40, 2), np.float32)),
        "infinite": npy(np.full(40, np.inf, np.float32)),
        "objects": npy(np.array([{}] * 40, object)),
    }

    @staticmethod
    def write(path, number):
        rng = np.random.default_rng(number)
        signal = np.cumsum(rng.normal(size=50 + 37 * number))
        np.save(path, signal.astype(np.float32))
