"""Processes that each do one contestant's work when told to."""
