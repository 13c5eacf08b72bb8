"""What the scripts do, one folder each."""
