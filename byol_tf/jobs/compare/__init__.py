"""Comparison of runs: from a configuration to its results."""
