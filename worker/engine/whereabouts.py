"""Where a rank stands, kept up to date by its training and told once a second, or when it fails.

A thread tells it, so that a rank which waits for another, or computes for minutes, is still seen to be there.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

from tunedeck.beat import BEAT_S, Beat
from tunedeck.fault import FaultScene
from tunedeck.run_folder import RunFolder

# Of memory, in bytes: what the rank holds, the most that it has held, what there is.
MeasureMemory = Callable[[], tuple[int, int, int]]
_BUSY_SHARE = 0.5


class Whereabouts:
    """`at` says what begins; `advance` that it gets on. Both are called in the training loop and cost nothing."""

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._step = 0
        self._doing = "starting"
        self._is_timed = False
        self._num_advances = 0
        self._measure_memory: MeasureMemory | None = None

    def at(self, doing: str, step: int | None = None, *, is_timed: bool = False) -> None:
        """`is_timed`: all ranks do it together, step by step, so that none of them getting on means that they hang."""
        self._doing = doing
        self._step = self._step if step is None else step
        self._is_timed = is_timed
        self._num_advances += 1

    def advance(self) -> None:
        self._num_advances += 1

    def scene(self) -> FaultScene:
        held, peak, total = self._measure_memory() if self._measure_memory else (None, None, None)
        return FaultScene(
            rank=self._rank,
            step=self._step,
            doing=self._doing,
            memory_bytes=held,
            peak_memory_bytes=peak,
            total_memory_bytes=total,
        )

    @contextlib.contextmanager
    def told(self, folder: RunFolder, measure_memory: MeasureMemory, *, computes_on_cpu: bool) -> Iterator[None]:
        """Tell it once a second to the file of this rank; at SIGUSR1 write the stacks of all threads to engine.log.

        `computes_on_cpu`: a busy processor means that the rank gets on. One that waits for a GPU is busy, too.
        """
        self._measure_memory = measure_memory
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
        path = folder.beat(self._rank)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        ended = threading.Event()
        thread = threading.Thread(target=self._tell, args=(file, ended, computes_on_cpu), name="beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            os.close(file)
            path.unlink()

    def _tell(self, file: int, ended: threading.Event, computes_on_cpu: bool) -> None:
        number, busy_s, complained = 0, time.process_time(), False
        while True:
            number, busy_before_s, busy_s = number + 1, busy_s, time.process_time()
            if computes_on_cpu and busy_s - busy_before_s > _BUSY_SHARE * BEAT_S:
                self.advance()
            try:
                self._beat(number).write(file)
            except OSError as fault:
                if not complained:
                    print(f"this rank cannot say that it is alive: {fault}", file=sys.stderr, flush=True)
                complained = True
            if ended.wait(BEAT_S):
                return

    def _beat(self, number: int) -> Beat:
        return Beat(
            pid=os.getpid(),
            number=number,
            num_advances=self._num_advances,
            is_timed=self._is_timed,
            scene=self.scene(),
        )
