"""Removes what the engine of an ended attempt left half done: a killed engine, or one that met a full disk, cannot.

The parts of a checkpoint may be as large as a whole one, and the next attempt writes to a folder of its own, so nobody
would ever come across them again. Leaving it to the engine's own error path was rejected: a rank that fails cannot know
whether another one still writes.
"""

from __future__ import annotations

import logging
import shutil

from tunedeck.run_folder import RunFolder

logger = logging.getLogger(__name__)


def remove_leftovers(folder: RunFolder) -> None:
    """Call when every process of the attempt is gone. What cannot be removed is told in the worker's log, no more: how
    the attempt ended matters more."""
    for path in folder.leftovers():
        try:
            shutil.rmtree(path)
        except OSError as fault:
            logger.error("%s is unfinished and cannot be removed: %s", path, fault)
