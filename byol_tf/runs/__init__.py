"""The run folder: configuration, encoder, predictor."""
