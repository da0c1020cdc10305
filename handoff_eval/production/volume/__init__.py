"""The team lead's page: what the emails of some weeks come to, and what to do about it."""
