"""Where a job is, and what it has held so far over all its attempts: device-hours and what they cost.

Computed from the attempts whenever a job is shown, for many jobs with one query. A tally that every end of an attempt
adds to was rejected, because it is wrong for ever once one end has been missed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.prices import service as prices
from tunedeck.prices import PriceList
from tunedeck.views.jobs import UsageView


@dataclass(frozen=True)
class Usage:
    """`host` and `memory_bytes` of a rank (0: not known) are of the newest attempt. The defaults: never placed."""

    host: str = ""
    memory_bytes: int = 0
    device_s: float = 0.0
    cost: float = 0.0
    currency: str = ""

    def view(self, device: str) -> UsageView:
        """`device` is the kind that the job asked for: cuda or cpu."""
        return UsageView(
            device="cuda" if device == "cuda" else "cpu",
            device_hours=self.device_s / 3600,
            cost=self.cost or None,
            currency=self.currency,
        )


def usage_of(session: Session, jobs: Sequence[JobRow]) -> dict[str, Usage]:
    """By job id, for each of `jobs`: up to now where an attempt holds its devices still."""
    by_job: dict[str, list[AttemptRow]] = {job.id: [] for job in jobs}
    placed = [job.id for job in jobs if job.attempt > 0]
    query = select(AttemptRow).where(AttemptRow.job_id.in_(placed)).order_by(AttemptRow.number)
    for attempt in session.scalars(query) if placed else ():
        by_job[attempt.job_id].append(attempt)
    price_list = prices.current(session) if placed else PriceList()
    now = time.time()
    return {job.id: _usage(job, by_job[job.id], price_list, now) for job in jobs}


def _usage(job: JobRow, attempts: list[AttemptRow], price_list: PriceList, now: float) -> Usage:
    if not attempts:
        return Usage()
    device_s = cost = 0.0
    for attempt in attempts:
        held_s = _devices(job, attempt) * max(0.0, (attempt.ended_at or now) - attempt.placed_at)
        device_s += held_s
        if job.device == "cuda":
            cost += held_s / 3600 * price_list.of(attempt.device_name)
    newest = attempts[-1]
    return Usage(newest.host, newest.memory_bytes, device_s, cost, price_list.currency)


def _devices(job: JobRow, attempt: AttemptRow) -> int:
    """Under Ray an attempt holds a place, not devices; on a CPU host it holds more than were asked for."""
    return max(job.num_devices, attempt.num_devices)
