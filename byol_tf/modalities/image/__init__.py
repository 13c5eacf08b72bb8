"""Images: everything that is specific to them."""
