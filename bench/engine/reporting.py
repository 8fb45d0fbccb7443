"""What it costs to report a step: clock, readings, metrics, event and log line, without a model. Goal: under 0.5%.

Each is done as the loop does it, in a world of one; on a GPU the readings' trip to the device and back is part of it.
"""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

from tunedeck.architecture import Architecture
from worker.engine.data import Batch
from worker.engine.event_log import EventLog
from worker.engine.platform import Platform, open_monitor
from worker.engine.training import progress
from worker.engine.training.progress import StepResult, Yardstick
from worker.engine.training.rank_readings import gather, host_group
from worker.engine.training.step_clock import StepClock

REPEATS = 500


def report_cost_s(architecture: Architecture, platform: Platform, batch: Batch, folder: Path) -> float:
    """Seconds of one report. Process groups must exist."""
    yardstick, group = Yardstick.of(architecture, platform), host_group(platform)
    monitor = open_monitor(platform.device)
    with EventLog(folder / "reporting.jsonl") as log, contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        for step in range(1, REPEATS + 1):
            clock = StepClock(platform)
            for _ in range(3):
                clock.mark()
            readings = gather(False, False, monitor.latest if monitor else None, platform, group)
            metrics = progress.step_metrics(StepResult(1.0, 1.0, 1e-5), batch, readings, clock.times(), 0.0, yardstick)
            log.step(step, metrics)
            print(progress.line(step, REPEATS, metrics), flush=True)
        cost_s = (time.perf_counter() - start) / REPEATS
    if monitor:
        monitor.close()
    return cost_s
