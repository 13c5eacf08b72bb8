"""Training loop, callbacks, checkpoints and signals."""
