"""Why a job waits, in a sentence: what it needs, what there is, and what is in the way.

Said from the same plan that the scheduler makes, so that the page cannot tell another story than the one that happens.
Times are left to the reader, who knows the time zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.scheduler.order import Waiting
from backend.scheduler.plan import Kept, Plan, Room
from backend.scheduler.pools import is_ray


@dataclass(frozen=True)
class Closed:
    """A host that takes no jobs. `why` is one word: drained or silent."""

    host: str
    pool: str
    why: str


@dataclass(frozen=True)
class Cluster:
    """`rooms` take jobs and `closed` are all other hosts. `free`: devices by host, once the plan is carried out.
    `device_names` by host, `job_names` by id."""

    rooms: Sequence[Room]
    closed: Sequence[Closed]
    free: Mapping[str, int]
    device_names: Mapping[str, str]
    job_names: Mapping[str, str]


def why_it_waits(job: Waiting, plan: Plan, cluster: Cluster) -> str:
    rooms = [room for room in cluster.rooms if room.pool == job.pool]
    kept = next((kept for kept in plan.kept if kept.head.pool == job.pool), None)
    return f"{_needs(job, rooms, cluster)}; {_obstacle(job, rooms, kept, plan, cluster)}"


def short_name(device_name: str) -> str:
    """`NVIDIA H100 80GB HBM3` is an H100 to who waits for it."""
    name = device_name.removeprefix("NVIDIA ")
    first = name.replace("-", " ").split(" ")[0]
    return first if any(letter.isdigit() for letter in first) else name


def _needs(job: Waiting, rooms: Sequence[Room], cluster: Cluster) -> str:
    if is_ray(job.pool):
        return "needs a place in Ray's queue"
    if job.pool == "cpu":
        return f"needs a host with {job.num_devices} {'core' if job.num_devices == 1 else 'cores'} for itself"
    names = {short_name(cluster.device_names.get(room.host, "")) for room in rooms}
    name = names.pop() if len(names) == 1 else "GPU"
    where = " on one host" if job.num_devices > 1 else ""
    return f"needs {job.num_devices} × {name}{where}"


def _obstacle(job: Waiting, rooms: Sequence[Room], kept: Kept | None, plan: Plan, cluster: Cluster) -> str:
    placed = next((each for each in plan.placements if each.job_id == job.job_id), None)
    if placed is not None:
        return f"it is its turn now, on {placed.host}"
    if not rooms:
        return _nowhere(job, cluster)
    able = [room for room in rooms if room.needs(job)]
    if not able:
        largest = max(rooms, key=lambda room: room.num_devices)
        return f"{largest.host}, the largest host that takes jobs, has {largest.num_devices}"
    if kept is not None and kept.head.job_id == job.job_id:
        return _of_head(kept, cluster)
    return _of_others(job, able, kept, cluster)


def _nowhere(job: Waiting, cluster: Cluster) -> str:
    closed = [each for each in cluster.closed if each.pool == job.pool]
    if not closed:
        return "no such host has joined"
    return "no such host takes jobs: " + ", ".join(f"{each.host} is {each.why}" for each in closed)


def _of_head(kept: Kept, cluster: Cluster) -> str:
    """It is next: nothing is placed on its host that would delay it."""
    text = f"it is next, {cluster.free[kept.host]} free on {kept.host}, which is kept for it"
    if kept.preempts:
        return f"{text}; {_names([each.job_id for each in kept.preempts], cluster)} must yield"
    leaving = [each.job_id for each in kept.waits_for if each.is_leaving]
    staying = [each.job_id for each in kept.waits_for if not each.is_leaving]
    if staying:
        return f"{text}; waits for {_names(staying, cluster)} to end"
    return f"{text}; {_names(leaving, cluster)} is giving up its devices" if leaving else text


def _of_others(job: Waiting, able: Sequence[Room], kept: Kept | None, cluster: Cluster) -> str:
    best = max(able, key=lambda room: (cluster.free[room.host] - room.needs(job), room.host))
    free = cluster.free[best.host]
    if free >= best.needs(job) and kept is not None:
        return f"{free} free on {best.host}, but kept for {_names([kept.head.job_id], cluster)}, which is before it"
    return f"{free} free on {best.host}"


def _names(job_ids: Sequence[str], cluster: Cluster) -> str:
    shown = [cluster.job_names.get(job_id, job_id) for job_id in job_ids[:3]]
    more = f" and {len(job_ids) - 3} more" if len(job_ids) > 3 else ""
    return ", ".join(shown) + more
