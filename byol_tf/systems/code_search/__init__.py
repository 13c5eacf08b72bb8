"""Finds Python functions from a description."""
