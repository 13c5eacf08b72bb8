"""Ranked lists from item texts and users' histories."""
