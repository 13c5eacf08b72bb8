"""Embedding and searching: from a configuration to its results."""
