"""Examples: sources, order, batches, splits and labels."""
