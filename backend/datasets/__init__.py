"""Data sets: files of conversations, registered where they lie or uploaded."""
