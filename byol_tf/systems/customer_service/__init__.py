"""Answers questions by intents and known answers, or hands them over."""
