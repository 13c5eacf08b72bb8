"""Handles signals early; the first import of a command, and of nothing else."""

from configs import signals

signals.end_at_once()
