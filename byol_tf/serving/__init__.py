"""Encoders for use elsewhere: as SavedModels that take image files."""
