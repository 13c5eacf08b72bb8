"""Conversion of official weights: from a configuration to its results."""
