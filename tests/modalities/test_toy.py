"""A modality that the package does not know keeps the contract."""

from tests.modalities.signals import SignalFiles


class TestSignals(SignalFiles):
    pass
