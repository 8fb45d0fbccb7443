"""Decides, without a database, which waiting jobs get devices now, which one is waited for, and which ones must yield.

Jobs are looked at in order (order.py), and each gets all its devices on one host or none:

1. A job that fits is placed on the fullest host that has room for it.
2. The first of a pool that does not fit is the head of that pool. It keeps one host: the one where the fewest devices
   have yet to become free. It waits there for the longest-running jobs, as many of them as it takes.
3. A later job may be placed on the kept host only on devices that the head does not need, counting everything that it
   does not wait for as running for ever. So the head waits for no job that was placed after it became the head, and a
   stream of small jobs cannot starve a large one (EASY backfilling without its estimates of running times).
4. What runs, is preemptible and has a lower priority than the head counts as free for the head, and may itself be
   placed on the kept host. When nothing else is in the way, as much of it as needed is preempted, the youngest of the
   lowest priority first.

A job that would fit on no host even if it were empty is no head and holds nobody up. Jobs behind the head keep nothing:
a host for each waiting job would leave most of a cluster idle behind a few large ones.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backend.scheduler.order import Waiting


class Holding(NamedTuple):
    """What a live attempt holds on its host. `is_leaving`: it has been told to end. `free_at`: when it is expected to
    have ended, in unix seconds; None where nobody knows.

    A tuple, because a thousand are made for each plan.
    """

    job_id: str
    num_devices: int
    placed_at: float
    priority: int = 0
    preemptible: bool = False
    is_leaving: bool = False
    free_at: float | None = None

    def yields_to(self, head: Waiting) -> bool:
        return self.is_leaving or (self.preemptible and self.priority < head.priority)


@dataclass(frozen=True, slots=True)
class Room:
    """A host that takes jobs: `num_devices` that may be used (those set aside not counted) and what holds them."""

    host: str
    pool: str
    num_devices: int
    holdings: tuple[Holding, ...] = ()
    takes_whole: bool = False

    @property
    def free(self) -> int:
        return max(0, self.num_devices - sum(holding.num_devices for holding in self.holdings))

    @property
    def may_offer(self) -> bool:
        """Whether a job could be placed here, or could preempt another."""
        return self.free > 0 or any(holding.preemptible for holding in self.holdings)

    def needs(self, job: Waiting) -> int:
        """How many devices `job` would take here if the host were empty; 0 where it does not fit."""
        if job.pool != self.pool or job.num_devices > self.num_devices:
            return 0
        return self.num_devices if self.takes_whole else job.num_devices


@dataclass(frozen=True, slots=True)
class Placement:
    job_id: str
    host: str
    num_devices: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The head of a pool, the host that it keeps, what must yield and what it waits for besides."""

    head: Waiting
    host: str
    waits_for: tuple[Holding, ...]
    preempts: tuple[Holding, ...]
    spare: int

    def is_borrowed_by(self, job: Waiting) -> bool:
        """Whether `job` may take devices of the kept host because it gives them back when asked."""
        return job.preemptible and job.priority < self.head.priority


@dataclass(frozen=True, slots=True)
class Plan:
    placements: tuple[Placement, ...]
    kept: tuple[Kept, ...]

    def asks_for_something(self) -> bool:
        return bool(self.placements) or any(kept.preempts for kept in self.kept)

    @property
    def hosts(self) -> frozenset[str]:
        """Those on which something is placed or preempted."""
        preempting = (kept.host for kept in self.kept if kept.preempts)
        return frozenset({placement.host for placement in self.placements}.union(preempting))

    def fits(self, rooms: Mapping[str, Room]) -> bool:
        """Whether `rooms`, those of `hosts` as they are now, have the devices that are placed, and hold what yields."""
        taken: dict[str, int] = defaultdict(int)
        for placement in self.placements:
            taken[placement.host] += placement.num_devices
        holdings = (holding for room in rooms.values() for holding in room.holdings)
        may_yield = {holding.job_id for holding in holdings if holding.preemptible and not holding.is_leaving}
        victims = {victim.job_id for kept in self.kept for victim in kept.preempts}
        return victims <= may_yield and all(num_devices <= rooms[host].free for host, num_devices in taken.items())


NOTHING = Plan((), ())


def make_plan(queue: Iterable[Waiting], rooms: Sequence[Room], most_placements: int = 1 << 30) -> Plan:
    """`queue` in the order of order.py. After `most_placements` the rest is left to the next plan."""
    planning = _Planning(rooms)
    for job in queue:
        if len(planning.placements) >= most_placements:
            break
        planning.consider(job)
    return Plan(tuple(planning.placements), tuple(planning.kept.values()))


class _Planning:
    """`kept` by pool. `_placed`: what has been placed just now, by host. `_too_many`: the least number of devices that
    was not to be had, by pool and by whether the job may borrow from the head; devices only become fewer meanwhile."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self.placements: list[Placement] = []
        self.kept: dict[str, Kept] = {}
        self._rooms: dict[str, list[Room]] = {}
        for room in rooms:
            self._rooms.setdefault(room.pool, []).append(room)
        self._free = {room.host: room.free for room in rooms}
        self._placed: dict[str, list[Holding]] = defaultdict(list)
        self._spare: dict[str, int] = {}
        self._too_many: dict[tuple[str, bool], int] = {}

    def consider(self, job: Waiting) -> None:
        kept = self.kept.get(job.pool)
        borrows = kept is not None and kept.is_borrowed_by(job)
        if job.num_devices >= self._too_many.get((job.pool, borrows), 1 << 30):
            return
        room = self._fullest_with_room(job, borrows)
        if room is not None:
            self._place(job, room, borrows)
            return
        self._too_many[job.pool, borrows] = job.num_devices
        if kept is None:
            self._keep(job)

    def _fullest_with_room(self, job: Waiting, borrows: bool) -> Room | None:
        fitting = (
            (self._free[room.host], room.host, room)
            for room in self._rooms.get(job.pool, ())
            if 0 < room.needs(job) <= self._on_offer(room.host, borrows)
        )
        best = min(fitting, key=lambda each: each[:2], default=None)
        return best[2] if best else None

    def _on_offer(self, host: str, borrows: bool) -> int:
        free = self._free[host]
        return free if borrows else min(free, self._spare.get(host, free))

    def _place(self, job: Waiting, room: Room, borrows: bool) -> None:
        needed = room.needs(job)
        self._free[room.host] -= needed
        if room.host in self._spare and not borrows:
            self._spare[room.host] -= needed
        self.placements.append(Placement(job.job_id, room.host, needed))
        self._placed[room.host].append(Holding(job.job_id, needed, math.inf, job.priority, job.preemptible))

    def _keep(self, job: Waiting) -> None:
        able = [room for room in self._rooms.get(job.pool, ()) if room.needs(job)]
        if not able:
            return
        kept = min((self._keeping(job, room) for room in able), key=_nearness)
        self.kept[job.pool] = kept
        self._spare[kept.host] = kept.spare

    def _keeping(self, job: Waiting, room: Room) -> Kept:
        """What keeping `room` for `job` would mean."""
        needed = room.needs(job)
        holdings = (*room.holdings, *self._placed[room.host])
        staying = sorted((h for h in holdings if not h.yields_to(job)), key=lambda h: (h.placed_at, h.job_id))
        in_use = sum(holding.num_devices for holding in staying)
        waits_for = []
        for holding in staying:
            if in_use <= room.num_devices - needed:
                break
            waits_for.append(holding)
            in_use -= holding.num_devices
        spare = max(0, room.num_devices - needed - in_use)
        preempts = () if waits_for else _victims(job, room, needed - self._free[room.host])
        leaving = tuple(holding for holding in room.holdings if holding.is_leaving)
        return Kept(job, room.host, (*leaving, *waits_for), preempts, spare)


def _victims(head: Waiting, room: Room, lacking: int) -> tuple[Holding, ...]:
    """Preemptible attempts whose devices, with those that are being freed already, make up what is `lacking`."""
    lacking -= sum(holding.num_devices for holding in room.holdings if holding.is_leaving)
    yielding = [h for h in room.holdings if h.yields_to(head) and not h.is_leaving]
    victims = []
    for holding in sorted(yielding, key=lambda h: (h.priority, -h.placed_at, h.job_id)):
        if lacking <= 0:
            break
        victims.append(holding)
        lacking -= holding.num_devices
    return tuple(victims)


def _nearness(kept: Kept) -> tuple[int, int, str]:
    """Least first: devices that nobody has been told to free, then those that are preempted."""
    to_wait_for = sum(holding.num_devices for holding in kept.waits_for if not holding.is_leaving)
    return (to_wait_for, sum(holding.num_devices for holding in kept.preempts), kept.host)
