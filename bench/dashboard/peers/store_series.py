"""Stores one long series with a tracker, as fast as it allows, for downsampling.py.

    python store_series.py TRACKER FOLDER VALUES.npy

Prints the id of the run. Runs in the peers' environment, so it imports nothing of ours.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Values = list[float]
BATCH = 1_000


def trackio(folder: Path, values: Values) -> str:
    from trackio.sqlite_storage import SQLiteStorage

    for at in range(0, len(values), 10 * BATCH):
        part = values[at : at + 10 * BATCH]
        SQLiteStorage.bulk_log(
            "bench", "one", [{"loss": value} for value in part], steps=list(range(at + 1, at + 1 + len(part)))
        )
    return "one"


def mlflow(folder: Path, values: Values) -> str:
    import mlflow
    from mlflow.entities import Metric

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    run = mlflow.start_run()
    now_ms = int(time.time() * 1000)
    client = mlflow.MlflowClient()
    for at in range(0, len(values), BATCH):
        part = enumerate(values[at : at + BATCH], at + 1)
        client.log_batch(run.info.run_id, [Metric("loss", value, now_ms + step, step) for step, value in part])
    mlflow.end_run()
    return str(run.info.run_id)


def tensorboard(folder: Path, values: Values) -> str:
    from tensorboard.summary import Writer

    writer = Writer(str(folder / "tensorboard"))
    for step, value in enumerate(values, 1):
        writer.add_scalar("loss", value, step)
    writer.close()
    return "."


def aim(folder: Path, values: Values) -> str:
    from aim import Run

    run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)
    for step, value in enumerate(values, 1):
        run.track(value, name="loss", step=step)
    run.close()
    return str(run.hash)


TRACKERS: dict[str, Callable[[Path, Values], str]] = {
    each.__name__: each for each in (trackio, mlflow, tensorboard, aim)
}

if __name__ == "__main__":
    print("\n" + TRACKERS[sys.argv[1]](Path(sys.argv[2]), np.load(sys.argv[3]).tolist()), flush=True)
