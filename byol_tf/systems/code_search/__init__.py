"""Finds Python functions by what their docstring would say."""
