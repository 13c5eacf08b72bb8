"""Agents that explore rooms, rewarded by what they cannot foretell."""
