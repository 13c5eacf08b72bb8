"""Images: all that is special to them, and nothing else."""
