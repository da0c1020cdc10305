"""What stands beside a comparison: timing, slices, topics of the mistakes, calibration."""
