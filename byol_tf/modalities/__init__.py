"""Kinds of input, one folder each, behind one contract."""
