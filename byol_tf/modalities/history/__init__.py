"""Histories: what one user did with items, and when."""
