"""Sounds: everything that is specific to them."""
