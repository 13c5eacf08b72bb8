"""Linear evaluation: from a configuration to its results."""
