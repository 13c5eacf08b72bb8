"""Tasks of fine-tuning, one file each."""
