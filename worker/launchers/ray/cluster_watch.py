"""The worker's side of `cluster.py`: the newest facts of the cluster, from a process that may come and go."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

from pydantic import ValidationError

from tunedeck.bus import HostFacts

logger = logging.getLogger(__name__)

RETRY_S = 5.0


class ClusterWatch:
    """`facts` is None while the cluster does not answer, or has no node; then the worker greets nobody for it."""

    def __init__(self, address: str, name: str) -> None:
        self._command = [sys.executable, "-m", "worker.launchers.ray.cluster", address, name]
        self._facts: HostFacts | None = None
        self._ending = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        threading.Thread(target=self._watch, name="cluster", daemon=True).start()

    def facts(self) -> HostFacts | None:
        return self._facts

    def stop(self) -> None:
        self._ending.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _watch(self) -> None:
        while not self._ending.is_set():
            with subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                self._process = process
                assert process.stdout is not None
                for line in process.stdout:
                    self._hear(line.strip())
            self._facts = None
            if not self._ending.wait(RETRY_S):
                logger.error("the Ray cluster is not there (code %s); asking again", process.returncode)

    def _hear(self, line: str) -> None:
        try:
            self._facts = HostFacts.model_validate_json(line) if line else None
        except ValidationError:
            logger.error("not understood of the Ray cluster: %s", line)
