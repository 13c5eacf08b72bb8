"""Pretraining: from a configuration to its results."""
