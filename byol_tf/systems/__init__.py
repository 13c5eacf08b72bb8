"""Applications built around a frozen encoder."""
