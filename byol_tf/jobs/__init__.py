"""The work of the commands, one folder each."""
