"""Monitors opinion by topic in a stream of texts, and raises alarms."""
