"""Export formats and their verification."""
