"""Whether a candidate may replace the trigger that runs."""
