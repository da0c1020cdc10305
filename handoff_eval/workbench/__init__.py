"""What an analyst works with inside a notebook: the labeler."""
