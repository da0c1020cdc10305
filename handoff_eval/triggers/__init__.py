"""The arms: everything that scores a conversation prefix."""
