"""Carries the files of a run folder to the bus: complete lines, in order, from any position again."""
