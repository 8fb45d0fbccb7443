"""Presets: named starting points of `tunedeck/presets.py`, as REST shows them."""
