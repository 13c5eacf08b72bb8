"""Several trainings side by side, and what came out of each."""
