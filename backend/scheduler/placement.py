"""Carries out what plan.py decides: reserves devices and numbers attempts, and asks what must yield to do so.

A plan is made without the lock, because ranking thousands of jobs must keep nobody from writing. It is carried out in
the caller's writing transaction, and only if that sees the devices still free: that is what makes double allocation
impossible. Who comes, or is moved up, in between comes after the decision. Planning once more under the lock was
rejected but for a plan that has been overtaken: it was half of the time for which a decision kept others from writing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.jobs.checkpoints import next_start
from backend.jobs.pausing import preempt
from backend.jobs.transitions import announce_all, change_state
from backend.scheduler import queries
from backend.scheduler.plan import NOTHING, Kept, Placement, Plan, make_plan
from backend.scheduler.pools import RAY
from backend.scheduler.rooms import queue_of_jobs, rooms_of
from tunedeck.bus import RunAttempt
from tunedeck.lifecycle import JobState
from tunedeck.resolved import ResolvedHardware, ResolvedSpec

WHO = "scheduler"
# A transaction that reserves for thousands of jobs would keep everybody else from writing; the next tick goes on.
MOST_PLACEMENTS = 20


@dataclass(frozen=True)
class Dispatch:
    """A message to send once the transaction is committed."""

    host: str
    message: RunAttempt


def plan_now(session: Session, now: float, alive_since: float) -> Plan:
    """What would be placed and preempted now. Times are unix seconds."""
    rooms = rooms_of(session, alive_since, now)
    if not any(room.may_offer for room in rooms):
        return NOTHING
    return make_plan(queue_of_jobs(session, now, most_alike=MOST_PLACEMENTS), rooms, MOST_PLACEMENTS)


def place_queued(session: Session, plan: Plan, now: float, alive_since: float, lease_s: float) -> list[Dispatch]:
    """Reserve devices for as many queued jobs as fit, and ask what must yield to the first that does not. `plan` was
    made by `plan_now` a moment ago; one that has been overtaken is made again."""
    if not _can_be_carried_out(session, plan, now, alive_since):
        plan = plan_now(session, now, alive_since)
    for kept in plan.kept:
        _preempt(session, kept, now)
    jobs = _still_queued(session, plan.placements)
    avoided = queries.devices_set_aside(session) if jobs else {}
    with session.no_autoflush:
        dispatches = [
            _place(session, jobs[each.job_id], each, avoided.get(each.host, ()), now, lease_s)
            for each in plan.placements
            if each.job_id in jobs
        ]
    announce_all(session, list(jobs.values()), now)
    return dispatches


def _can_be_carried_out(session: Session, plan: Plan, now: float, alive_since: float) -> bool:
    rooms = {room.host: room for room in rooms_of(session, alive_since, now, plan.hosts)} if plan.hosts else {}
    return plan.hosts <= rooms.keys() and plan.fits(rooms)


def _still_queued(session: Session, placements: Iterable[Placement]) -> dict[str, JobRow]:
    query = select(JobRow).where(JobRow.id.in_([each.job_id for each in placements]), JobRow.state == JobState.QUEUED)
    return {job.id: job for job in session.scalars(query.with_for_update())}


def _preempt(session: Session, kept: Kept, now: float) -> None:
    for victim in kept.preempts:
        job = session.get_one(JobRow, victim.job_id, with_for_update=True)
        preempt(session, job, f"job {kept.head.job_id}, of priority {kept.head.priority}, needs its devices", now)


def overdue_messages(session: Session, now: float, patience_s: float) -> list[Dispatch]:
    """Messages of attempts that nobody has taken up: they may have been lost, and a doubled one does no harm."""
    dispatches = []
    overdue = queries.not_taken_up(session, now - patience_s)
    avoided = queries.devices_set_aside(session) if overdue else {}
    for job, attempt in overdue:
        attempt.message_sent_at = now
        dispatches.append(_dispatch(attempt, ResolvedSpec.model_validate(job.resolved), avoided.get(attempt.host, ())))
    return dispatches


def _place(
    session: Session, job: JobRow, placement: Placement, avoided: tuple[int, ...], now: float, lease_s: float
) -> Dispatch:
    checkpoint = next_start(session, job)
    job.attempt += 1
    job.resume_from = ""
    attempt = AttemptRow(
        job_id=job.id,
        number=job.attempt,
        host=placement.host,
        num_devices=placement.num_devices,
        lease_expires_at=now + lease_s,
        message_sent_at=now,
        placed_at=now,
        ended_at=None,
        resume_from=checkpoint.path if checkpoint else "",
        first_step=checkpoint.step + 1 if checkpoint else 1,
    )
    session.add(attempt)
    spec = ResolvedSpec.model_validate(job.resolved)
    why = _where(spec.hardware, placement)
    if checkpoint:
        why += f", from the checkpoint of step {checkpoint.step:,}"
    change_state(session, job, JobState.PLACING, WHO, why, now)
    return _dispatch(attempt, spec, avoided)


def _where(hardware: ResolvedHardware, placement: Placement) -> str:
    if hardware.launcher == RAY:
        return (
            f"Ray is asked through {placement.host} for {hardware.num_nodes} × {hardware.num_devices_per_node} devices"
        )
    return f"{placement.num_devices} device{'s' if placement.num_devices > 1 else ''} of {placement.host}"


def _dispatch(attempt: AttemptRow, spec: ResolvedSpec, avoided: tuple[int, ...]) -> Dispatch:
    message = RunAttempt(
        job_id=attempt.job_id,
        attempt=attempt.number,
        spec=spec,
        resume_from=attempt.resume_from,
        avoid_devices=avoided,
    )
    return Dispatch(attempt.host, message)
