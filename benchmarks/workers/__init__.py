"""Programs that each do the work of one contestant."""
