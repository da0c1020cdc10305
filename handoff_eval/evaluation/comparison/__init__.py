"""Every arm on the same conversations, at the same budget."""
