"""One small function for each finding that `handoff-eval check` can report."""
