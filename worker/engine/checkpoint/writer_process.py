"""The handle that the training holds of the process that writes its checkpoints (writer_main.py)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Any

from worker.engine.checkpoint.rank_file import Place
from worker.engine.checkpoint.writer_main import TensorPlace

_MODULE = "worker.engine.checkpoint.writer_main"
_PATIENCE_S = 5.0


class WriterProcess:
    """Made in the main thread, whose end is the end of the process; used by one other."""

    def __init__(self, memory_fd: int, tensors: list[TensorPlace]) -> None:
        """Starts the process and does not wait for it: it needs a second or two to import torch."""
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (theirs.fileno(), memory_fd)
            self.process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, *map(str, descriptors), str(os.getpid())],
                pass_fds=descriptors,
                env=_environment(),
                stdin=subprocess.DEVNULL,
            )
        self._connection = Connection(ours.detach())
        self._untold: list[TensorPlace] | None = tensors

    def write(self, path: str, objects: list[bytes]) -> list[Place]:
        """Write the tensors of the shared memory, and wait. Raises what was raised there; RuntimeError if it died."""
        try:
            if self._untold is not None:
                self._connection.send(self._untold)
                self._untold = None
            self._connection.send((path, objects))
            answer: Any = self._connection.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(f"the process that writes checkpoints {_how_it_ended(self.process.wait())}") from error
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait(_PATIENCE_S)

    def hang_up(self) -> None:
        """To be called when nobody is in `write` any more."""
        self._connection.close()


def _environment() -> dict[str, str]:
    """Ours, without GPUs, and with the import path as it is here, which may have been changed since the start."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "CUDA_VISIBLE_DEVICES": ""}


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by signal {signal.Signals(-returncode).name}"
    return f"ended with return code {returncode}"
