"""What the systems on texts share: rows, features, heads, ranking."""
