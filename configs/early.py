"""Heeds signals; what a command imports first. Nothing else imports it."""

from configs import signals

signals.end_at_once()
