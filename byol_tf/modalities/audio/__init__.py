"""All that is special to sounds."""
