"""Optimizers, schedules, averages, and scaling rules."""
