"""Runs of any length straight in the database, in the form in which the compactor leaves them.

values_P: what one metric measured at steps 1 to P.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.metrics import MetricOutlineRow
from backend.metrics.outlines import outline_of, packed
from backend.metrics.points import CHUNK_POINTS, Points, chunk_of
from tests.support.jobs import add_attempt, add_job

Series = NDArray[np.float64]
# Twelve that the real engine sends with each step on a CPU.
METRICS = (
    *("loss", "grad_norm", "lr", "tokens_per_s", "tokens_per_s_per_gpu", "step_time_s", "forward_backward_time_s"),
    *("optimizer_time_s", "data_time_s", "num_tokens", "padding_share", "peak_memory_bytes"),
)
STEP_S = 0.25
# No worker speaks of a run that is stocked as live: with a shorter lease it would be lost while it is looked at.
LEASE_S = 3600.0


def curve(num_steps: int, seed: int, spikes: Mapping[int, float] = {}) -> Series:  # never changed
    """Falling, noisy, and with these values at these steps."""
    steps_P = np.arange(1, num_steps + 1)
    noise_P = np.random.default_rng(seed).normal(0.0, 0.05, num_steps)
    values_P = 0.4 + 2.6 * np.exp(-steps_P / (num_steps / 6)) + noise_P
    for step, value in spikes.items():
        values_P[step - 1] = value
    return values_P


def curves(num_steps: int, seed: int, spikes: Mapping[int, float] = {}) -> dict[str, Series]:
    return {name: curve(num_steps, seed + number, spikes) for number, name in enumerate(METRICS)}


def add_run(database: Database, name: str, series: Mapping[str, Series], *, is_live: bool = False) -> str:
    """A run with these metrics at steps 1, 2, 3 …, STEP_S apart and up to now; returns its id."""
    num_steps = len(next(iter(series.values())))
    now = time.time()
    columns: dict[str, Any] = {"state": "running"} if is_live else {"state": "succeeded", "ended_at": now}
    began = now - num_steps * STEP_S
    with database.writing() as session:
        job = add_job(session, now, name=name, attempt=1, started_at=began, train_iters=10 * num_steps, **columns)
        job.step = num_steps
        job.latest = {metric: float(values_P[-1]) for metric, values_P in series.items()}
        lease = now + LEASE_S
        ended = None if is_live else now - 3600.0
        add_attempt(session, job.id, 1, began, ended_at=ended, ingested_seq=num_steps, lease_expires_at=lease)
        # The first id of the feed, since a chunk says which ids it has replaced.
        session.add(EventRow(job_id=job.id, attempt=1, seq=None, kind="job", step=None, t=began, payload={}))
        session.flush()
        for metric, values_P in series.items():
            _add_chunks(session, job.id, metric, values_P, began)
        return job.id


def _add_chunks(session: Session, job_id: str, metric: str, values_P: Series, began: float) -> None:
    num_steps = len(values_P)
    # No two steps of a real run take equally long.
    late_P = np.random.default_rng(num_steps).uniform(0.0, STEP_S / 2, num_steps)
    steps_P = np.arange(1, num_steps + 1)
    whole = Points(steps_P, began + STEP_S * steps_P + late_P, values_P)
    parts = [whole.take(np.arange(at, min(at + CHUNK_POINTS, num_steps))) for at in range(0, num_steps, CHUNK_POINTS)]
    chunks = [chunk_of(job_id, 1, metric, part, last_event_id=0) for part in parts]
    session.add_all(chunks)
    session.flush()
    session.add_all(
        MetricOutlineRow(chunk_id=chunk.id, points=packed(outline_of(part)))
        for chunk, part in zip(chunks, parts, strict=True)
    )


def attempt_of(database: Database, job_id: str) -> AttemptRow:
    with database.reading() as session:
        return session.get_one(AttemptRow, (job_id, 1))


def job_of(database: Database, job_id: str) -> JobRow:
    with database.reading() as session:
        return session.get_one(JobRow, job_id)
