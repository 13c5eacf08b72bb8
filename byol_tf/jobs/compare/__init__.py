"""Comparing runs: from a configuration to its results."""
