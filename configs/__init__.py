"""Experiments: each file is a configuration and the claim it makes."""
