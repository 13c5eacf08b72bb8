"""The official BYOL checkpoints: read, checked and made Keras encoders."""
