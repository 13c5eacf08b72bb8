"""Texts: reading, preprocessing, views and encoders."""
