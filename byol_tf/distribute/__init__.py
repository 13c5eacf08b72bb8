"""Devices, replicas, workers."""
