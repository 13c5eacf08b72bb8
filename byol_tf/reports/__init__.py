"""Figures, tables and HTML."""
