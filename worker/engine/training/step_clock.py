"""Where the time of a step goes: waiting for data, forward and backward, optimizer, and the rest, which is waiting.

On a GPU the parts are read from CUDA events, which the device stamps as it passes them: to read the host's clock
between the parts, the host would have to wait for the device each time. The host may be a step ahead of the device; a
step then begins for the device where the one before it ended.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from worker.engine.platform import Platform


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
    """Of one step, which begins when this is made: `mark` where data, forward-backward and optimizer end, then read
    `times` once. `before` is the clock of the step that the device is still at, if it is."""

    def __init__(self, platform: Platform, before: StepClock | None = None) -> None:
        self._is_cuda = platform.device.type == "cuda"
        self._before = before._stamps[-1:] if before else []
        self._stamps: list[torch.cuda.Event | float] = []
        self.mark()

    def mark(self) -> None:
        """One part ends here and the next begins."""
        if not self._is_cuda:
            self._stamps.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self._stamps.append(event)

    def times(self) -> StepTimes:
        """Wait until the device has done the step; no other measurement waits for it."""
        stamps = self._stamps
        data_s, forward_backward_s, optimizer_s = map(_between_s, stamps, stamps[1:])
        began, ended = (self._before or stamps)[0], stamps[-1] if self._is_cuda else time.perf_counter()
        return StepTimes(_between_s(began, ended), data_s, forward_backward_s, optimizer_s)


def _between_s(start: torch.cuda.Event | float, stop: torch.cuda.Event | float) -> float:
    if isinstance(start, float) and isinstance(stop, float):
        return stop - start
    assert not isinstance(start, float) and not isinstance(stop, float)
    stop.synchronize()
    return float(start.elapsed_time(stop)) / 1000.0
