"""What runs without the workbench: the bundle and the code that decides with it."""
