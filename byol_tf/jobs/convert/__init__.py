"""Converting official weights: from a configuration to its results."""
