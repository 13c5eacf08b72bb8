"""Embeddings of a folder: table, index, duplicates, map."""
