"""Measurements of a whole service on this machine. Each prints one JSON object on its last line."""
