"""What people say of decisions that were made, and the way back of it into datasets."""
