"""Text to vectors, the same in the workbench and in production."""
