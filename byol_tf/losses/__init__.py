"""Losses: pure functions of two views' outputs."""
