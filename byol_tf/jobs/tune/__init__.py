"""Search for settings: from a configuration to its results."""
