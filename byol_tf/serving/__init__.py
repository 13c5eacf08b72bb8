"""The server of exported models."""
