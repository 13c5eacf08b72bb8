"""Embedding and search: from a configuration to its results."""
