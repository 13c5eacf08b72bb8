"""Losses: pure functions of both views' outputs."""
