"""When a waiting job may expect to start: as far as the running jobs' own estimates reach, and no further.

How long a job that has not begun will take is not known, so it is taken to run for ever from its start on, and so is a
running one that has not timed a step yet. What is left are starts that follow from jobs that train now. An estimate of
running times from FLOPs was rejected: a queue that promises 14:20 and means 18:00 is worse than one that does not know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from backend.scheduler.order import Waiting
from backend.scheduler.plan import Plan, Room


@dataclass(frozen=True)
class Start:
    """`at` in unix seconds."""

    host: str
    at: float


def expected_starts(queue: Iterable[Waiting], rooms: Sequence[Room], plan: Plan, now: float) -> dict[str, Start]:
    """By job id; jobs whose start cannot be known are missing. One that is placed now starts now."""
    timelines = {room.host: _Timeline(room, plan, now) for room in rooms}
    placed = {each.job_id: each for each in plan.placements}
    kept = {each.head.job_id: each.host for each in plan.kept}
    found: dict[str, Start] = {}
    for job in queue:
        if job.job_id in placed:
            found[job.job_id] = Start(placed[job.job_id].host, now)
            continue
        only = kept.get(job.job_id, "")
        start = _earliest(job, rooms, timelines, only)
        if start is not None:
            found[job.job_id] = start
    return found


def _earliest(job: Waiting, rooms: Sequence[Room], timelines: Mapping[str, _Timeline], only: str) -> Start | None:
    """Takes the devices from then on. `only`: the host that is kept for the job, if there is one."""
    able = [room for room in rooms if room.needs(job) and (not only or room.host == only)]
    times = [(timelines[room.host].time_of(room.needs(job)), room.host, room) for room in able]
    at, host, room = min(times, key=lambda each: each[:2], default=(math.inf, "", None))
    if room is None or at == math.inf:
        return None
    timelines[host].take(at, room.needs(job))
    return Start(host, at)


class _Timeline:
    """Free devices of one host over time, as changes (moment, devices)."""

    def __init__(self, room: Room, plan: Plan, now: float) -> None:
        placed = sum(each.num_devices for each in plan.placements if each.host == room.host)
        yielding = {each.job_id for kept in plan.kept if kept.host == room.host for each in kept.preempts}
        self._changes = [(now, room.free - placed)]
        for holding in room.holdings:
            at = now if holding.is_leaving or holding.job_id in yielding else holding.free_at
            if at is not None:
                self._changes.append((max(now, at), holding.num_devices))

    def time_of(self, num_devices: int) -> float:
        """From when on so many are free for good; infinity if never."""
        free, since = 0, math.inf
        for at, changes in groupby(sorted(self._changes), key=itemgetter(0)):
            free += sum(change for _, change in changes)
            if free < num_devices:
                since = math.inf
            elif since == math.inf:
                since = at
        return since

    def take(self, at: float, num_devices: int) -> None:
        self._changes.append((at, -num_devices))
