"""Serving: from a configuration to its results."""
