"""Choice of examples to label next."""
