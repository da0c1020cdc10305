"""Deciding over HTTP: what was accepted is durable, and its email is in the same transaction."""
