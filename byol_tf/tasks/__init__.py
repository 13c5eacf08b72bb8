"""What is learned with labels, one file each."""
