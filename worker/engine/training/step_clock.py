"""Where the time of a step goes: waiting for data, forward and backward, optimizer, and the rest, which is waiting.

On a GPU the parts are read from CUDA events, which the device stamps as it passes them: to read the host's clock
between the parts, the host would have to wait for the device each time. Events are read after the step's own
synchronisation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from worker.engine.platform import Platform

_NUM_PARTS = 3


@dataclass(frozen=True)
class StepTimes:
    """Seconds. `wait_time_s` is what is left of the step: other ranks, the exchange of readings, what Python does."""

    step_time_s: float
    data_time_s: float
    forward_backward_time_s: float
    optimizer_time_s: float

    @property
    def wait_time_s(self) -> float:
        parts = self.data_time_s + self.forward_backward_time_s + self.optimizer_time_s
        return max(0.0, self.step_time_s - parts)


class StepClock:
    """Used once a step: `start`, then `mark` where data, forward-backward and optimizer end, then `stop`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        is_cuda = platform.device.type == "cuda"
        self._events = [torch.cuda.Event(enable_timing=True) for _ in range(_NUM_PARTS + 1)] if is_cuda else []
        self._started_s = 0.0
        self._marks_s: list[float] = []

    def start(self) -> None:
        self._started_s = time.perf_counter()
        self._marks_s = []
        self.mark()

    def mark(self) -> None:
        """One part ends here and the next begins."""
        if self._events:
            self._events[len(self._marks_s)].record()
        self._marks_s.append(time.perf_counter())

    def stop(self) -> StepTimes:
        """Wait for the device, the only time in the step that this is done for a measurement."""
        self._platform.synchronize()
        step_time_s = time.perf_counter() - self._started_s
        data_s, forward_backward_s, optimizer_s = self._parts_s()
        return StepTimes(step_time_s, data_s, forward_backward_s, optimizer_s)

    def _parts_s(self) -> list[float]:
        if self._events:
            pairs = zip(self._events, self._events[1:], strict=False)
            return [before.elapsed_time(after) / 1000.0 for before, after in pairs]
        return [after - before for before, after in zip(self._marks_s, self._marks_s[1:], strict=False)]
