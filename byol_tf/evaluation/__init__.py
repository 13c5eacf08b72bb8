"""What frozen representations are worth."""
