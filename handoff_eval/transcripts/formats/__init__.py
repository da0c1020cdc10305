"""The exports of other tools, each read by its documented schema into the dataset format."""
