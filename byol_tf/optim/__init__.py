"""Optimizers, schedules, moving averages and scaling rules."""
