"""In which order waiting jobs are looked at: priority, then fair share between owners, then age.

Fair share works as if every job were placed in its turn: the owner with the smallest share is next with their oldest
job, which then counts as theirs for `HELD_COUNTS_S`. So two owners alternate even where neither has run anything yet.
Deficit counters and shares that somebody sets by hand were rejected: that is what a cluster scheduler is for.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

# A device that is held counts as if it were held for so long from now on.
HELD_COUNTS_S = 3600.0


class Waiting(NamedTuple):
    """A queued job, as far as placing it goes. `pool` (pools.py) names the hosts that it may go to.

    A tuple, because ten thousand are made at a time.
    """

    job_id: str
    owner: str
    priority: int
    created_at: float
    pool: str
    num_devices: int
    preemptible: bool = False

    @property
    def lane(self) -> Lane:
        return (self.owner, self.pool)


# Owner and pool: a core's second is no GPU's second, so each pool has shares of its own.
Lane = tuple[str, str]


def in_order(waiting: Iterable[Waiting], shares: Mapping[Lane, float]) -> Iterator[Waiting]:
    """Every waiting job, the next to be placed first. `shares`: device-seconds (shares.py); a missing lane has 0."""
    by_priority: dict[int, list[Waiting]] = defaultdict(list)
    for job in waiting:
        by_priority[job.priority].append(job)
    tallies = dict(shares)
    for priority in sorted(by_priority, reverse=True):
        yield from _by_share(by_priority[priority], tallies)


def _by_share(jobs: list[Waiting], tallies: dict[Lane, float]) -> Iterator[Waiting]:
    lanes: dict[Lane, list[Waiting]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: (job.created_at, job.job_id), reverse=True):
        lanes[job.lane].append(job)
    heap = [_turn(lane, oldest_last, tallies) for lane, oldest_last in lanes.items()]
    heapq.heapify(heap)
    while heap:
        *_, lane = heapq.heappop(heap)
        job = lanes[lane].pop()
        yield job
        tallies[lane] = tallies.get(lane, 0.0) + job.num_devices * HELD_COUNTS_S
        if lanes[lane]:
            heapq.heappush(heap, _turn(lane, lanes[lane], tallies))


def _turn(lane: Lane, oldest_last: list[Waiting], tallies: dict[Lane, float]) -> tuple[float, float, str, Lane]:
    """Equal shares: the older job first."""
    oldest = oldest_last[-1]
    return (tallies.get(lane, 0.0), oldest.created_at, oldest.job_id, lane)
