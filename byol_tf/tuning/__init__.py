"""Search for the settings of a training."""
