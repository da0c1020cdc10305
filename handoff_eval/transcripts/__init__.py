"""Dataset folders: read, check, split, write."""
