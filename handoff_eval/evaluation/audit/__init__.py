"""What was missed among what was never sent: a sample of it, and what that says."""
