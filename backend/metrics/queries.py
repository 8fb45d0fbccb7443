"""Where the points of a job are: rows of the feed that are still fresh, and chunks."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, EventRow, MetricChunkRow


def first_steps(session: Session, job_id: str) -> dict[int, int]:
    """The first step of each attempt that has told its plan, by its number."""
    query = select(EventRow.attempt, EventRow.payload).where(EventRow.job_id == job_id, EventRow.kind == "plan")
    return {attempt: payload["first_step"] for attempt, payload in session.execute(query)}


def fresh_events(session: Session, job_id: str, from_step: int, to_step: int) -> Sequence[EventRow]:
    """Step and eval events that are still rows, in the order of the feed."""
    query = (
        select(EventRow)
        .where(EventRow.job_id == job_id, EventRow.kind.in_(("step", "eval")))
        .where(EventRow.step >= from_step, EventRow.step <= to_step)
        .order_by(EventRow.id)
    )
    return session.scalars(query).all()


def chunks(
    session: Session, job_id: str, names: frozenset[str], from_step: int, to_step: int
) -> Sequence[MetricChunkRow]:
    """Chunks that overlap the range, oldest first. An empty `names` means every metric."""
    query = (
        select(MetricChunkRow)
        .where(MetricChunkRow.job_id == job_id)
        .where(MetricChunkRow.last_step >= from_step, MetricChunkRow.first_step <= to_step)
        .order_by(MetricChunkRow.id)
    )
    return session.scalars(query.where(MetricChunkRow.metric.in_(names)) if names else query).all()


def attempts_active_since(session: Session, since: float) -> Sequence[AttemptRow]:
    """Those that run, or have ended since then."""
    is_active = or_(AttemptRow.ended_at.is_(None), AttemptRow.ended_at >= since)
    return session.scalars(select(AttemptRow).where(is_active)).all()


def num_steps_to_compact(session: Session, attempt: AttemptRow, before: float, limit: int) -> int:
    """How many there are, counted no further than `limit`."""
    some = select(EventRow.id).where(*_is_compactable(attempt, before)).limit(limit).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def steps_to_compact(session: Session, attempt: AttemptRow, before: float, limit: int) -> Sequence[EventRow]:
    """The oldest step events of an attempt that happened before then, in the engine's order."""
    query = select(EventRow).where(*_is_compactable(attempt, before)).order_by(EventRow.seq)
    return session.scalars(query.limit(limit)).all()


def delete_events(session: Session, event_ids: Sequence[int]) -> None:
    session.execute(delete(EventRow).where(EventRow.id.in_(event_ids)))


def delete_superseded_views(session: Session, job_id: str, before: float) -> None:
    """Delete `job` events older than `before`, but never the newest one of the job."""
    views = (EventRow.job_id == job_id, EventRow.kind == "job")
    newest = select(func.max(EventRow.id)).where(*views).scalar_subquery()
    session.execute(delete(EventRow).where(*views, EventRow.t < before, EventRow.id < newest))


def _is_compactable(attempt: AttemptRow, before: float) -> list[ColumnElement[bool]]:
    """What lies behind a gap is left: it may be sent again, and would then come a second time. After the end of the
    attempt nothing more is taken in."""
    conditions = [
        EventRow.job_id == attempt.job_id,
        EventRow.kind == "step",
        EventRow.attempt == attempt.number,
        EventRow.t < before,
    ]
    if attempt.ended_at is None:
        conditions.append(EventRow.seq <= attempt.ingested_seq)
    return conditions
