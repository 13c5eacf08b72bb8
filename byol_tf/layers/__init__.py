"""Keras layers of all encoders and heads."""
