"""Annotations of objects in images, in several formats."""
