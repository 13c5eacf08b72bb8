"""Histories: the items that one user interacted with, and when."""
