"""What the team reads: a summary of the conversation, every line tied to its turn."""
