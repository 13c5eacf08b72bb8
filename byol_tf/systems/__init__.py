"""Whole systems, each made of a frozen encoder and what stands around it."""
