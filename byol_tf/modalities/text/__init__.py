"""Texts: how they are read, prepared, changed and encoded."""
