"""Examples: where they come from, their order, batches, splits and labels."""
