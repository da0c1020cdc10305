"""The handoff email: message, delivery and a local mailbox to look at it."""
