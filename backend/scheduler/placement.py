"""Gives queued jobs their devices, oldest first: who gets what, and the attempt that comes of it.

A job that has to wait keeps the host that is closest to having room for it, so that a stream of small jobs cannot keep
a large one waiting for ever. A job that fits on no host that is alive holds nobody up. On a CPU host a job takes the
whole machine: two training processes on the same cores are slower than one after the other.

Everything happens in the caller's writing transaction, which is what makes double allocation impossible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, HostRow, JobRow
from backend.jobs.checkpoints import next_start
from backend.jobs.transitions import transition
from backend.scheduler import queries
from tunedeck.bus import RunAttempt
from tunedeck.lifecycle import JobState
from tunedeck.resolved import ResolvedHardware, ResolvedSpec

WHO = "scheduler"
# Of a Ray cluster. Ray has a queue of its own, but each attempt in it costs the worker a process of some 150 MB.
MOST_ATTEMPTS_IN_RAY = 16


@dataclass(frozen=True)
class Offer:
    """What a host has: `free` of its `total` devices. For a Ray cluster, which deals out its devices itself, places
    for attempts are counted instead."""

    host: str
    kind: str
    total: int
    free: int
    launcher: str = "local"

    def devices_for(self, hardware: ResolvedHardware) -> int:
        """How many devices a job would take here if the host were empty; 0 where it does not fit."""
        if hardware.device != self.kind or hardware.launcher != self.launcher:
            return 0
        if self.launcher == "ray":
            return 1
        if hardware.num_devices > self.total:
            return 0
        return self.total if self.kind == "cpu" else hardware.num_devices


@dataclass(frozen=True)
class Dispatch:
    """A message to send once the transaction is committed."""

    host: str
    message: RunAttempt


def place_queued(session: Session, now: float, alive_since: float, lease_s: float) -> list[Dispatch]:
    """Reserve devices for as many queued jobs as fit. Times are unix seconds."""
    offers = {offer.host: offer for offer in offers_of(session, alive_since)}
    if not any(offer.free for offer in offers.values()):
        return []
    dispatches = []
    for job in queries.queued_jobs(session, now):
        hardware = ResolvedSpec.model_validate(job.resolved).hardware
        offer = best_offer(offers.values(), hardware)
        if offer is None:
            continue
        num_devices = offer.devices_for(hardware)
        if num_devices > offer.free:
            del offers[offer.host]  # kept for this job until it has room
            continue
        offers[offer.host] = replace(offer, free=offer.free - num_devices)
        dispatches.append(_place(session, job, offer.host, num_devices, now, lease_s))
    return dispatches


def offers_of(session: Session, alive_since: float) -> list[Offer]:
    in_use = queries.num_devices_in_use(session)
    return [_offer(host, in_use.get(host.name, 0)) for host in queries.hosts_seen_since(session, alive_since)]


def best_offer(offers: Iterable[Offer], hardware: ResolvedHardware) -> Offer | None:
    """The fullest host that has room; else the one that lacks least; None where no host could ever hold the job."""
    able = [offer for offer in offers if offer.devices_for(hardware)]
    if not able:
        return None
    return min(able, key=lambda offer: (lacks(offer, hardware), offer.free, offer.host))


def lacks(offer: Offer, hardware: ResolvedHardware) -> int:
    return max(0, offer.devices_for(hardware) - offer.free)


def overdue_messages(session: Session, now: float, patience_s: float) -> list[Dispatch]:
    """Messages of attempts that nobody has taken up: they may have been lost, and a doubled one does no harm."""
    dispatches = []
    for job, attempt in queries.live_attempts(session):
        if job.state != JobState.PLACING or now - attempt.message_sent_at < patience_s:
            continue
        attempt.message_sent_at = now
        dispatches.append(_dispatch(job, attempt))
    return dispatches


def _offer(host: HostRow, num_in_use: int) -> Offer:
    launcher = host.facts.get("launcher", "local")  # a row may be older than the field
    total = MOST_ATTEMPTS_IN_RAY if launcher == "ray" else host.num_devices
    return Offer(host.name, host.facts["kind"], total, max(0, total - num_in_use), launcher)


def _place(session: Session, job: JobRow, host: str, num_devices: int, now: float, lease_s: float) -> Dispatch:
    checkpoint = next_start(session, job)
    job.attempt += 1
    job.resume_from = ""
    attempt = AttemptRow(
        job_id=job.id,
        number=job.attempt,
        host=host,
        num_devices=num_devices,
        lease_expires_at=now + lease_s,
        message_sent_at=now,
        placed_at=now,
        ended_at=None,
        resume_from=checkpoint.path if checkpoint else "",
        first_step=checkpoint.step + 1 if checkpoint else 1,
    )
    session.add(attempt)
    why = _where(ResolvedSpec.model_validate(job.resolved).hardware, host, num_devices)
    if checkpoint:
        why += f", from the checkpoint of step {checkpoint.step:,}"
    transition(session, job, JobState.PLACING, WHO, why, now)
    return _dispatch(job, attempt)


def _where(hardware: ResolvedHardware, host: str, num_devices: int) -> str:
    if hardware.launcher == "ray":
        return f"Ray is asked through {host} for {hardware.num_nodes} × {hardware.num_devices_per_node} devices"
    return f"{num_devices} device{'s' if num_devices > 1 else ''} of {host}"


def _dispatch(job: JobRow, attempt: AttemptRow) -> Dispatch:
    spec = ResolvedSpec.model_validate(job.resolved)
    message = RunAttempt(job_id=job.id, attempt=attempt.number, spec=spec, resume_from=attempt.resume_from)
    return Dispatch(attempt.host, message)
