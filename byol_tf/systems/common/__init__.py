"""Shared parts of systems on texts: rows, features, classifiers, ranking."""
