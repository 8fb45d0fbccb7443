"""Checkpoints: what they hold, how they are written beside the training, when they can be seen, how they are read.

Imports nothing, because the process that writes (writer_main.py) shall start with torch alone.
"""
