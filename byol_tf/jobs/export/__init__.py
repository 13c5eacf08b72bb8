"""Exporting: from a configuration to its results."""
