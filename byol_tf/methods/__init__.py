"""BYOL and its relatives as Keras models."""
