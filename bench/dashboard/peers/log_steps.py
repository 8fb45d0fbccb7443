"""Times how long a training loop is held up by telling a tracker twelve metrics at each step.

    python log_steps.py TRACKER FOLDER NUM_TIGHT NUM_PACED

Prints {"tight": [µs …], "paced": [µs …]}. Runs in the peers' environment, so it imports nothing of ours, but for the
tracker `tunedeck`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACE_S = 0.02
WARM_UP = 20
NAMES = ("loss", "lr", "grad_norm", "tokens_per_s", "step_time_s", "data_time_s", "optimizer_time_s", "mfu")
METRICS = {name: 0.123456789 * number for number, name in enumerate((*NAMES, "memory", "peak", "tokens", "padding"), 1)}

Log = Callable[[int, dict[str, float]], Any]


def tunedeck(folder: Path) -> Log:
    from worker.engine.event_log import EventLog

    return EventLog(folder / "events.jsonl").step


def trackio(folder: Path) -> Log:
    import trackio

    trackio.init(project="bench", embed=False)
    return lambda step, metrics: trackio.log(metrics, step=step)


def mlflow(folder: Path) -> Log:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.start_run()
    return lambda step, metrics: mlflow.log_metrics(metrics, step=step, synchronous=False)


def tensorboard(folder: Path) -> Log:
    from tensorboard.summary import Writer

    writer = Writer(str(folder / "tensorboard"))

    def log(step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)

    return log


def aim(folder: Path) -> Log:
    from aim import Run

    run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)

    def log(step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            run.track(value, name=name, step=step)

    return log


def wandb(folder: Path) -> Log:
    import wandb

    run = wandb.init(mode="offline", dir=str(folder), project="bench")
    return lambda step, metrics: run.log(metrics, step=step)


def swanlab(folder: Path) -> Log:
    import swanlab

    swanlab.init(project="bench", mode="offline", logdir=str(folder / "swanlab"))
    return lambda step, metrics: swanlab.log(metrics, step=step)


TRACKERS: dict[str, Callable[[Path], Log]] = {
    each.__name__: each for each in (tunedeck, trackio, mlflow, tensorboard, aim, wandb, swanlab)
}


def measure(log: Log, first: int, number: int, pace_s: float) -> list[float]:
    """Microseconds of each call; the first ones do not count."""
    taken = []
    for step in range(first, first + WARM_UP + number):
        # Each step has values of its own, as in training.
        metrics = {name: value + step * 1e-6 for name, value in METRICS.items()}
        began = time.perf_counter_ns()
        log(step, metrics)
        taken.append((time.perf_counter_ns() - began) / 1000)
        if pace_s:
            time.sleep(pace_s)
    return taken[WARM_UP:]


def main() -> None:
    name, folder, num_tight, num_paced = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    log = TRACKERS[name](folder)
    gc.collect()
    paced = measure(log, 1, num_paced, PACE_S)
    tight = measure(log, 1 + WARM_UP + num_paced, num_tight, 0.0)
    print("\n" + json.dumps({"tight": tight, "paced": paced}), flush=True)
    # What a tracker still has in its queue is not waited for: that takes minutes with some.
    os._exit(0)


if __name__ == "__main__":
    main()
