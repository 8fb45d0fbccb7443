"""torch's profiler over a window of steps, as a trace that TensorBoard, Perfetto and chrome://tracing read.

Only rank 0 is recorded: the trace of one rank of a 4B model takes a hundred megabytes a step, and ranks do the same.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.profiler import ProfilerActivity


class ProfilerWindow:
    """Records the steps from `start` to before `end`; both 0: none. `step_begins` and `step_ended` frame every step.

    Every rank knows the window; those that do not record (`records`) leave nothing.
    """

    def __init__(self, folder: Path, start: int, end: int, *, records: bool = True) -> None:
        self._folder = folder
        self._records = records
        self._start, self._end = start, end
        self._profiler: torch.profiler.profile | None = None
        self._first_step = 0

    def covers(self, step: int) -> bool:
        return self._start <= step < self._end

    def step_begins(self, step: int) -> None:
        # A run that is resumed inside the window records the rest of it.
        if self._records and self._profiler is None and self.covers(step):
            self._first_step = step
            self._profiler = torch.profiler.profile(activities=activities(), record_shapes=True)
            self._profiler.start()

    def step_ended(self, step: int) -> None:
        if self._profiler is not None and step + 1 >= self._end:
            self._write(step)

    def close(self, last_step: int) -> None:
        """A run that ends inside the window leaves what has been recorded."""
        if self._profiler is not None:
            self._write(last_step)

    def _write(self, last_step: int) -> None:
        profiler, self._profiler = self._profiler, None
        assert profiler is not None
        profiler.stop()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"rank0-steps-{self._first_step}-{last_step}.pt.trace.json.gz"
        profiler.export_chrome_trace(str(path))
        print(f"profile of steps {self._first_step} to {last_step}: {path.name}", flush=True)


def activities() -> list[ProfilerActivity]:
    """The host's work, and the device's where there is one."""
    return [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])
