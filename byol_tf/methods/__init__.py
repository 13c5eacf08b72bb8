"""BYOL and related methods as Keras models."""
