"""Agents that explore rooms, rewarded for what they cannot predict."""
