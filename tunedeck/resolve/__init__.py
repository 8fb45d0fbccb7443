"""From what was asked to what will run: fills every default in and refuses, before the queue, what cannot run.

All faults are collected and reported together, each at its field, so that a form is mended in one go. Nothing here
touches a file, a database or a GPU: the facts come in as values. Letting the engine find these faults was rejected:
it would find them after the job waited for hours, one at a time.
"""

from tunedeck.resolve.facts import DatasetFacts, ModelFacts
from tunedeck.resolve.hardware import choose_host
from tunedeck.resolve.resolve import resolve

__all__ = ["DatasetFacts", "ModelFacts", "choose_host", "resolve"]
