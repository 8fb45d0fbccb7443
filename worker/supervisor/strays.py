"""Ends what a killed supervisor left behind.

The kernel ends the engine with its supervisor, and the ranks with their launcher, but not what a rank has started
itself: the helper process of an asynchronous checkpoint would wait for ever. All of them carry the run folder in their
environment, which they inherit and cannot lose by changing parent, group or session.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import psutil

from tunedeck.run_folder import RunFolder

logger = logging.getLogger(__name__)

RUN_DIR_VARIABLE = "TUNEDECK_RUN_DIR"


def end_strays(folder: RunFolder) -> None:
    """SIGKILL for every process of this user that was started for the attempt of `folder`, until none is left."""
    while strays := list(_strays(folder)):
        logger.warning("processes without a supervisor are killed: %s", [process.pid for process in strays])
        for process in strays:
            _kill(process)
        psutil.wait_procs(strays, timeout=1.0)


def _strays(folder: RunFolder) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(RUN_DIR_VARIABLE) == str(folder.root):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended, or belongs to somebody else


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
