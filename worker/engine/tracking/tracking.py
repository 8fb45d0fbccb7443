"""All that a run records of its steps besides its events, opened and closed as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.engine.tracking.curves import Curves, TensorBoardCurves, WandbCurves
from worker.engine.tracking.profile import ProfilerWindow


class Tracking:
    """The loop calls `step_begins` and `step_ended` around every step and `evaluated` after a validation, on every
    rank; ranks other than 0 record no curves and no profile."""

    def __init__(self, curves: list[Curves], window: ProfilerWindow) -> None:
        self.window = window
        self._curves = curves
        self._last_step = 0

    def step_begins(self, step: int) -> None:
        self.window.step_begins(step)

    def step_ended(self, step: int, metrics: Mapping[str, float]) -> None:
        self._last_step = step
        self.window.step_ended(step)
        for curves in self._curves:
            curves.add(step, metrics)

    def evaluated(self, step: int, metrics: Mapping[str, float]) -> None:
        for curves in self._curves:
            curves.add(step, metrics)

    def close(self) -> None:
        self.window.close(self._last_step)
        for curves in self._curves:
            curves.close()


@contextmanager
def open_tracking(spec: ResolvedSpec, folder: RunFolder) -> Iterator[Tracking]:
    """Everything that `spec.tracking` asks for but the record of memory, which begins earlier.

    Raises SpecInvalid where a library for it is not installed.
    """
    wanted, is_first = spec.tracking, torch.distributed.get_rank() == 0
    window = ProfilerWindow(folder.profile, wanted.profile_step_start, wanted.profile_step_end, records=is_first)
    tracking = Tracking(_curves(spec, folder) if is_first else [], window)
    try:
        yield tracking
    finally:
        tracking.close()


def _curves(spec: ResolvedSpec, folder: RunFolder) -> list[Curves]:
    curves: list[Curves] = []
    if spec.tracking.use_tensorboard:
        curves.append(TensorBoardCurves(folder.tensorboard))
    if spec.tracking.use_wandb:
        curves.append(WandbCurves(folder.wandb, spec))
    return curves
