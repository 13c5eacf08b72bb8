"""Exported formats and their verification."""
