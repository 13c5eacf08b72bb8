"""How well objects and their points are found."""
