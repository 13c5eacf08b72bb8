"""Images from files or arrays to batches."""
